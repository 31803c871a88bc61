//! `gosandbox completions SHELL`.

use clap_complete::aot;

use super::args::Shell;
use super::help;

/// The completion script for a shell.
pub fn render(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut command = help::command();
    match shell {
        Shell::Bash => aot::generate(aot::Bash, &mut command, "gosandbox", &mut script),
        Shell::Zsh => aot::generate(aot::Zsh, &mut command, "gosandbox", &mut script),
        Shell::Fish => aot::generate(aot::Fish, &mut command, "gosandbox", &mut script),
    }
    script
}
