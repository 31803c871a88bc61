//! What compiling a system call filter costs at start-up: `cargo bench --bench filters`.
//!
//! Prints a line for each filter; nothing passes or fails by it.

use std::hint::black_box;
use std::time::Instant;

use gosandbox::enforce::seccomp::compile;
use gosandbox::policy::Cage;
use gosandbox::policy::syscalls::{Arch, Network, Options, Signals, table};

const ROUNDS: u32 = 2000;

fn main() {
    for cage in [Cage::Tool, Cage::Program] {
        for (network, signals) in [
            (Network::Namespace, Signals::Scoped),
            (Network::Notify, Signals::Notify),
            (Network::None, Signals::Group),
        ] {
            let options = Options {
                nesting: cage == Cage::Tool && network == Network::Namespace,
                network,
                udp: true,
                signals,
                pid_namespace: network == Network::Namespace,
                ipc_namespace: network == Network::Namespace,
                debug: false,
            };
            let build = || compile(&table(cage, black_box(&options)), Arch::X86_64);
            let start = Instant::now();
            for _ in 0..ROUNDS {
                black_box(build());
            }
            let each = start.elapsed() / ROUNDS;
            let length = build().instructions().len();
            println!("{each:?} for {length} instructions: {cage:?} {options:?}");
        }
    }
}
