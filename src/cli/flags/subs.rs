//! The table of subcommands.

use super::place::*;

/// A subcommand.
#[derive(Clone, Copy, Debug)]
pub struct Sub {
    /// Its name.
    pub name: &'static str,
    /// Its positional arguments, as shown.
    pub arguments: &'static str,
    /// Where its options are found in [`Flag::place`].
    pub place: u32,
    /// What it does, in one line.
    pub help: &'static str,
}

/// The subcommands that this version has.
pub const SUBS: [Sub; 11] = [
    Sub {
        name: "doctor",
        arguments: "",
        place: DOCTOR,
        help: "Show what this host can enforce, and which layer holds which guarantee",
    },
    Sub {
        name: "audit",
        arguments: "",
        place: AUDIT,
        help: "Find settings, permissions and programs of this machine that weaken builds",
    },
    Sub {
        name: "policy",
        arguments: "show|list",
        place: POLICY,
        help: "Show the resolved policy with the origin of every rule, or list the profiles",
    },
    Sub {
        name: "profile",
        arguments: "FORMAT",
        place: PROFILES,
        help: "Print what a deployment loads: apparmor, selinux, oci-seccomp, systemd, kubernetes, container, bwrap, auto",
    },
    Sub {
        name: "changes",
        arguments: "[list|show|apply|drop] [RUN]",
        place: CHANGES,
        help: "List, show, apply or drop what runs have changed and left staged",
    },
    Sub {
        name: "cache",
        arguments: "list|clean [DIR]",
        place: CACHE,
        help: "List what gosandbox keeps on disk, or remove what nothing uses any more",
    },
    Sub {
        name: "init",
        arguments: "[github|gitlab]",
        place: INIT,
        help: "Write .gosandbox.toml and a CI file for the project here",
    },
    Sub {
        name: "shim",
        arguments: "install|remove DIR",
        place: SHIM_INSTALL,
        help: "Write a go into a folder that runs go in gosandbox, or take it away",
    },
    Sub {
        name: "completions",
        arguments: "bash|zsh|fish",
        place: 0,
        help: "Print a completion script for a shell",
    },
    Sub {
        name: "man",
        arguments: "",
        place: 0,
        help: "Print the manual page",
    },
    Sub {
        name: "help",
        arguments: "[SUBCOMMAND]",
        place: 0,
        help: "Print help",
    },
];
