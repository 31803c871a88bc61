//! Ends a launcher at a chosen system call, however fast or slow the machine is.
#![allow(unsafe_code)]

use std::process::Command;

use super::Ended;
use super::held::{Stop, trace};

/// Runs a command and calls `act` with the launcher's number before system call `number`, from 0,
/// of those that the launcher's processes make. It acts at the latest when one of them executes
/// another program. Returns how many calls came before.
pub fn at_call(command: &mut Command, number: usize, mut act: impl FnMut(i32)) -> (Ended, usize) {
    let (mut launcher, mut calls) = (0, 0);
    let ended = trace(command, |stop| {
        let is_there = match stop {
            Stop::Call(process) => {
                launcher = if calls == 0 { process } else { launcher };
                calls += 1;
                calls > number
            }
            Stop::Executed => true,
        };
        if is_there {
            act(launcher);
        }
        !is_there
    });
    (ended, calls)
}

/// Sends a signal to a process that nobody has waited for, or that a tracer holds.
pub fn send(process: i32, signal: i32) {
    // SAFETY: it takes integers.
    unsafe { libc::kill(process, signal) };
}

/// Moments spread over the calls before another program is executed, the last of them after all.
pub fn moments(command: &mut Command, count: usize) -> Vec<usize> {
    let (_, calls) = at_call(command, usize::MAX, |launcher| {
        send(launcher, libc::SIGKILL)
    });
    (0..count)
        .map(|moment| calls * moment / (count - 1))
        .collect()
}
