//! What every process does with itself, and with files that any program reads.

use super::names::*;
use super::statement::Statement::{self, Allow, Comment, Optional};

/// What every process does with itself, and with the system's files that any program reads.
pub fn base(all: &mut Vec<Statement>, domain: &'static str) {
    all.push(Comment("a process of its own, and the system's files"));
    process(all, domain);
    system_files(all, domain);
    devices(all, domain);
}

/// A process with itself and its own descriptors.
fn process(all: &mut Vec<Statement>, domain: &'static str) {
    all.extend([
        Allow(
            domain,
            "self",
            "process",
            &[
                "fork",
                "getattr",
                "getcap",
                "getpgid",
                "getrlimit",
                "getsched",
                "getsession",
                "setcap",
                "setexec",
                "setpgid",
                "setrlimit",
                "setsched",
                "sigchld",
                "sigkill",
                "signal",
                "signull",
                "sigstop",
            ],
        ),
        Allow(domain, "self", "fd", &["use"]),
        Allow(domain, "self", "fifo_file", OWN),
        Allow(domain, "self", "file", OWN),
        Allow(domain, "self", "dir", READ_FOLDER),
        Allow(domain, "self", "lnk_file", READ_LINK),
        Allow(domain, "self", "unix_stream_socket", SOCKET),
        Allow(domain, "self", "unix_stream_socket", &["connectto"]),
        Allow(domain, "self", "unix_dgram_socket", SOCKET),
        Allow(domain, "self", "unix_dgram_socket", &["sendto"]),
        Allow(
            domain,
            "self",
            "cap_userns",
            &["net_admin", "setpcap", "sys_admin"],
        ),
    ]);
    let userns = match domain {
        TOOL => "gosandbox_tool_userns",
        PROGRAM => "gosandbox_program_userns",
        _ => "gosandbox_launched_userns",
    };
    all.push(Optional(
        userns,
        vec![Allow(domain, "self", "user_namespace", &["create"])],
    ));
}

/// Files of the system, and the folders on the way to the project's.
fn system_files(all: &mut Vec<Statement>, domain: &'static str) {
    for read in [
        "etc_t",
        "usr_t",
        "locale_t",
        "bin_t",
        "proc_t",
        "sysfs_t",
        "sysctl_t",
        "sysctl_kernel_t",
        "sysctl_net_t",
        "sysctl_vm_t",
        "sysctl_vm_overcommit_t",
        "cgroup_t",
        "proc_net_t",
        "ld_so_cache_t",
        "net_conf_t",
    ] {
        all.extend([
            Allow(domain, read, "dir", READ_FOLDER),
            Allow(domain, read, "file", READ_ONLY),
            Allow(domain, read, "lnk_file", READ_LINK),
        ]);
    }
    for on_the_way in [
        "home_root_t",
        "user_home_t",
        "user_home_dir_t",
        "tmp_t",
        "var_t",
        "var_run_t",
        "src_t",
        "default_t",
    ] {
        all.push(Allow(domain, on_the_way, "dir", PASS));
    }
    let homes = match domain {
        TOOL => [
            ("gosandbox_tool_xdg", "xdg_cache_t"),
            ("gosandbox_tool_cache_home", "cache_home_t"),
        ],
        PROGRAM => [
            ("gosandbox_program_xdg", "xdg_cache_t"),
            ("gosandbox_program_cache_home", "cache_home_t"),
        ],
        _ => [
            ("gosandbox_launched_xdg", "xdg_cache_t"),
            ("gosandbox_launched_cache_home", "cache_home_t"),
        ],
    };
    for (name, folder) in homes {
        all.push(Optional(name, vec![Allow(domain, folder, "dir", PASS)]));
    }
}

/// Devices, inherited terminals, and file systems in memory.
fn devices(all: &mut Vec<Statement>, domain: &'static str) {
    for device in ["null_device_t", "zero_device_t", "devtty_t", "ptmx_t"] {
        all.push(Allow(domain, device, "chr_file", DEVICE));
    }
    for device in ["urandom_device_t", "random_device_t"] {
        all.push(Allow(
            domain,
            device,
            "chr_file",
            &["getattr", "ioctl", "open", "read"],
        ));
    }
    // Inherited standard output; a file of another type must be relayed by a pipe (`| cat >log`).
    for terminal in [
        "user_devpts_t",
        "user_tty_device_t",
        "console_device_t",
        "tty_device_t",
        "devpts_t",
    ] {
        all.push(Allow(domain, terminal, "chr_file", INHERIT));
    }
    all.push(Allow(
        domain,
        "devpts_t",
        "dir",
        &["getattr", "open", "read", "search"],
    ));
    // The launcher's view of the system is a file system in memory.
    for memory in ["tmpfs_t", "user_tmpfs_t"] {
        all.extend([
            Allow(domain, memory, "filesystem", &["getattr"]),
            Allow(domain, memory, "dir", ADD),
            Allow(domain, memory, "file", &["getattr", "open", "read"]),
            Allow(domain, memory, "lnk_file", READ_LINK),
        ]);
    }
}

/// Files that both domains read.
pub fn read_files(domain: &'static str) -> Vec<Statement> {
    let mut all = vec![Comment("GOROOT, the caches and the work tree, to read")];
    for name in FILES {
        all.push(Allow(domain, name, "dir", READ_FOLDER));
        all.push(Allow(domain, name, "file", READ));
        all.push(Allow(domain, name, "lnk_file", READ_LINK));
    }
    all.push(Allow(domain, GOROOT_EXEC, "file", RUN));
    all.push(Allow(domain, GOROOT_EXEC, "file", &["entrypoint"]));
    all
}
