//! What the module gateway costs: a large graph of modules from a server of files on loopback, bare,
//! through the gateway alone, and in the sandbox; and what its being there costs a cached build.
//!
//!     cargo bench --bench gateway [-- [--short] [--plain] [ROUNDS]]
//!
//! The server speaks HTTP/2 over TLS, as module proxies do; with `--plain` HTTP/1.1 alone, where bare pays
//! for next to nothing.
//!
//! Rounds are interleaved, each beginning with another way. What is printed are medians of the time
//! that passed and of the processor's, and in brackets the median of the ratios to bare within a
//! round; nothing passes or fails by it.

#![allow(clippy::unwrap_used)]

mod graph;
#[path = "../../tests/reachable/mod.rs"]
mod reachable;
mod server;

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use graph::Graph;
use server::Upstream;

/// Whom root measures as: an ordinary user.
const ORDINARY: u32 = 1000;

/// One way to run a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Bare,
    /// The gateway as a process outside of any sandbox.
    Gateway,
    /// gosandbox.
    Sandbox,
    /// gosandbox under a profile without upstreams, so that there is no gateway.
    Without,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Way::Bare => "bare",
            Way::Gateway => "gateway alone",
            Way::Sandbox => "gosandbox",
            Way::Without => "gosandbox without a gateway",
        }
    }
}

/// What is measured with.
struct Bench {
    folder: PathBuf,
    project: PathBuf,
    proxy: PathBuf,
    server: Upstream,
    gateway: String,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let short = words.iter().any(|word| word == "--short");
    let named = words.iter().find_map(|word| word.parse().ok());
    let rounds: usize = named.unwrap_or(if short { 3 } else { 11 });
    let folder = reachable::folder().join("bench-gateway");
    fs::create_dir_all(&folder).unwrap();
    let graph = match Graph::fetch(&folder) {
        Ok(graph) => graph,
        Err(reason) => return println!("SKIPPED: no module proxy can be reached: {reason}"),
    };
    let plain = words.iter().any(|word| word == "--plain");
    let server = Upstream::start(reachable::goroot(), &folder, &graph.proxy, plain);
    let (gateway, through) = server::gateway(&server);
    let bench = Bench {
        project: graph.project,
        proxy: graph.proxy,
        server,
        gateway: through,
        folder,
    };
    bench.prepare();
    println!(
        "{rounds} rounds, medians: time passed and time of all processors, in brackets the ratio to bare\n"
    );
    let fetching = [Way::Bare, Way::Gateway, Way::Sandbox];
    let cached = [Way::Bare, Way::Sandbox, Way::Without];
    let list = ["go", "list", "-m", "all"];
    let download = ["go", "mod", "download"];
    bench.measure(".mod files", &list, &fetching, true, rounds);
    bench.measure("209 modules, zips too", &download, &fetching, true, rounds);
    let more = rounds * 4;
    bench.measure("go version", &["go", "version"], &cached, false, more);
    bench.measure("the graph, cached", &list, &cached, false, more);
    let build = ["go", "build", "-o", "/dev/null", "."];
    bench.measure("a build, cached", &build, &cached, false, more);
    let passed = gateway.finish();
    println!("\nthe gateway alone passed {} files", passed.fetched);
}

impl Bench {
    /// Profiles and caches, which are the user's who measures.
    fn prepare(&self) {
        // The server has no checksum database, and bare go is not to ask one either.
        let hosts = fs::read_dir(&self.proxy).unwrap();
        let private: Vec<String> = hosts
            .map(|host| format!("\"{}/*\"", host.unwrap().file_name().display()))
            .collect();
        let profile = |name: &str, upstream: &str| {
            let ca = self.server.ca.as_ref();
            let ca = ca.map_or_else(String::new, |ca| format!("ca = [\"{}\"]\n", ca.display()));
            let text = format!(
                "extends = \"strict\"\n\n[modules]\nupstreams = \"{upstream}\"\nprivate = [{}]\n{ca}",
                private.join(", ")
            );
            fs::write(self.folder.join(name), text).unwrap();
        };
        profile("sandbox.toml", &self.server.address);
        profile("without.toml", "off");
        for name in ["home", "cache"] {
            fs::create_dir_all(self.folder.join(name)).unwrap();
        }
        if is_root() {
            let names = ["home", "cache", "project", "sandbox.toml", "without.toml"];
            for name in names.map(|name| self.folder.join(name)) {
                chown(&name, Some(ORDINARY), Some(ORDINARY)).unwrap();
            }
        }
        self.forget();
    }

    /// An empty module cache.
    fn forget(&self) {
        let cache = self.folder.join("mod");
        let _none = fs::remove_dir_all(&cache);
        fs::create_dir(&cache).unwrap();
        if is_root() {
            chown(&cache, Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
    }

    fn measure(&self, title: &str, words: &[&str], ways: &[Way], empty: bool, rounds: usize) {
        let mut times = vec![Vec::new(); ways.len()];
        // The first round warms up.
        for round in 0..=rounds {
            for at in (0..ways.len()).map(|at| (at + round) % ways.len()) {
                if empty {
                    self.forget();
                }
                let took = self.run(words, ways[at]);
                if round > 0 {
                    times[at].push(took);
                }
            }
        }
        println!("{title} ({})", words.join(" "));
        for (way, own) in ways.iter().zip(&times) {
            let of = |what: fn(&Took) -> f64| {
                let ratios = own
                    .iter()
                    .zip(&times[0])
                    .map(|(own, bare)| what(own) / what(bare));
                (
                    median(own.iter().map(what).collect()) * 1000.0,
                    median(ratios.collect()),
                )
            };
            let (elapsed, ratio) = of(|took| took.elapsed);
            let (processor, more) = of(|took| took.processor);
            println!(
                "  {:<28} {elapsed:8.1} ms ({ratio:.3}) {processor:10.1} ms ({more:.3})",
                way.word()
            );
        }
    }

    fn run(&self, words: &[&str], way: Way) -> Took {
        let mut command = self.command(words, way);
        let before = self.processor();
        let start = Instant::now();
        let ended = command.output().unwrap();
        let took = Took {
            elapsed: start.elapsed().as_secs_f64(),
            processor: self.processor() - before,
        };
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{}: {said}", way.word());
        took
    }

    /// What this process, those that it has waited for and the server have used of the processor, in
    /// seconds.
    fn processor(&self) -> f64 {
        let seconds = |text: &str| text.parse::<f64>().unwrap() / 100.0;
        let own = fs::read_to_string("/proc/self/stat").unwrap();
        let used = |stat: &String| -> f64 {
            let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
            // utime, stime, cutime, cstime, in hundredths.
            fields.skip(11).take(4).map(seconds).sum()
        };
        [own, self.server.stat()].iter().map(used).sum()
    }

    fn command(&self, words: &[&str], way: Way) -> Command {
        let bin = reachable::goroot().join("bin");
        let profile = match way {
            Way::Sandbox => Some("sandbox.toml"),
            Way::Without => Some("without.toml"),
            Way::Bare | Way::Gateway => None,
        };
        let mut command = match profile {
            Some(profile) => {
                let mut command = Command::new(reachable::gosandbox());
                command.arg("--profile").arg(self.folder.join(profile));
                command.arg("--").args(words);
                command
            }
            None => {
                let mut command = Command::new(bin.join(words[0]));
                command.args(&words[1..]);
                command
            }
        };
        let proxy = match way {
            Way::Gateway => &self.gateway,
            _ => &self.server.address,
        };
        command.current_dir(&self.project).env_clear();
        command.env(
            "PATH",
            std::env::join_paths([&*bin, Path::new("/usr/bin"), Path::new("/bin")]).unwrap(),
        );
        command
            .env("HOME", self.folder.join("home"))
            .env("GOMODCACHE", self.folder.join("mod"));
        command
            .env("GOCACHE", self.folder.join("cache"))
            .env("GOFLAGS", "-modcacherw");
        command
            .env("GOTOOLCHAIN", "local")
            .env("GOSUMDB", "off")
            .env("GOPROXY", proxy);
        command.envs(self.server.ca.iter().map(|ca| ("SSL_CERT_FILE", ca)));
        command.env("CGO_ENABLED", "0").stdin(Stdio::null());
        if is_root() {
            command.uid(ORDINARY).gid(ORDINARY);
        }
        command
    }
}

/// What a run took, in seconds.
#[derive(Clone, Copy)]
struct Took {
    elapsed: f64,
    /// Of all processes together, the server of files among them: a busy machine changes it less.
    processor: f64,
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
