//! Who may enter the domains, and what never may be.

use super::names::*;
use super::statement::Statement::{self, Allow, Comment, Domain, If, Never, Optional, Role};
use super::statement::Target;

/// Who may enter: users, CI runners and services, container engines.
pub fn callers(all: &mut Vec<Statement>) {
    all.push(Comment("who may enter"));
    let callers = [
        ("gosandbox_unconfined", "unconfined_t", "unconfined_r"),
        ("gosandbox_sysadm", "sysadm_t", "sysadm_r"),
        ("gosandbox_staff", "staff_t", "staff_r"),
        ("gosandbox_user", "user_t", "user_r"),
        ("gosandbox_initrc", "initrc_t", "system_r"),
        ("gosandbox_init", "init_t", "system_r"),
        ("gosandbox_service", "unconfined_service_t", "system_r"),
        ("gosandbox_cron", "system_cronjob_t", "system_r"),
    ];
    for (name, caller, role) in callers {
        let mut inside: Vec<_> = DOMAINS.map(|domain| Role(role, domain)).into();
        inside.extend(entry(caller));
        inside.push(If(
            "gosandbox_attach",
            vec![Domain(caller, GOROOT_EXEC, TOOL)],
        ));
        all.push(Optional(name, inside));
    }
    // Container engines: container-selinux (Fedora, RHEL) and reference policies have attributes for theirs.
    for (name, engine) in [
        ("gosandbox_container_runtime", "container_runtime_domain"),
        ("gosandbox_container_engine", "container_engine_domain"),
    ] {
        let mut container: Vec<_> = DOMAINS.map(|domain| Role("system_r", domain)).into();
        container.extend(entry(engine));
        for domain in DOMAINS {
            container.extend(image(domain, engine));
            container.push(Allow(engine, domain, "key", KEYRING));
        }
        // Volumes, which engines mount.
        for volume in VOLUMES {
            container.push(Allow(engine, volume, "dir", MOUNT));
        }
        all.push(Optional(name, container));
    }
    // What stands between an engine and a container holds the other end of its output.
    let monitor = "conmon_domain";
    let mut output = Vec::new();
    for domain in DOMAINS {
        output.extend([
            Allow(domain, monitor, "fd", &["use"]),
            Allow(domain, monitor, "fifo_file", INHERIT),
            Allow(domain, monitor, "unix_stream_socket", SOCKET_PAIR),
            Allow(domain, monitor, "process", &["sigchld"]),
        ]);
    }
    all.push(Optional("gosandbox_container_monitor", output));
}

/// What a domain reads and executes of a container's image. What it writes are volumes with labels of ours.
fn image(domain: &'static str, engine: &'static str) -> Vec<Statement> {
    let mut all = vec![Allow(domain, engine, "unix_stream_socket", SOCKET_PAIR)];
    for file in ["container_file_t", "container_ro_file_t"] {
        all.extend([
            Allow(domain, file, "dir", READ_FOLDER),
            Allow(domain, file, "file", RUN),
            Allow(domain, file, "file", &["entrypoint"]),
            Allow(domain, file, "lnk_file", READ_LINK),
        ]);
    }
    // A container's own /dev.
    all.push(Allow(domain, "container_file_t", "chr_file", DEVICE));
    all
}

fn entry(caller: &'static str) -> Vec<Statement> {
    let mut all = vec![
        Allow(caller, "self", "process", &["setexec"]),
        Allow(caller, GOROOT_EXEC, "file", ENTER),
        Allow(caller, EXEC, "file", RUN),
        // The launcher asks the kernel whether a domain is permissive.
        Allow(caller, "security_t", "dir", READ_FOLDER),
        Allow(
            caller,
            "security_t",
            "file",
            &["getattr", "open", "read", "write"],
        ),
        Allow(caller, "security_t", "security", &["compute_av"]),
    ];
    for domain in DOMAINS {
        all.extend([
            Allow(caller, domain, "process", TRANSITION),
            Allow(caller, domain, "process", SIGNAL),
            Allow(caller, domain, "process2", NNP),
            Allow(domain, caller, "fd", &["use"]),
            Allow(domain, caller, "fifo_file", INHERIT),
            Allow(domain, caller, "unix_stream_socket", INHERIT),
            Allow(domain, caller, "process", &["sigchld"]),
        ]);
    }
    all
}

/// What no other module may add.
pub fn never(all: &mut Vec<Statement>) {
    all.push(Comment("what never may be"));
    for domain in DOMAINS {
        for name in [GOROOT, GOROOT_EXEC, PROTECTED, EXEC] {
            all.push(Never(domain, Target::Type(name), "file", WRITE));
            all.push(Never(domain, Target::Type(name), "dir", WRITE_FOLDER));
        }
        all.push(Never(
            domain,
            Target::AllBut(&DOMAINS),
            "process",
            &["ptrace", "signal", "sigkill"],
        ));
        all.push(Never(domain, Target::Itself, "process", NO_MEMORY));
    }
    for program in PROGRAMS {
        for name in [CACHE, MODCACHE] {
            all.push(Never(program, Target::Type(name), "file", WRITE));
            all.push(Never(program, Target::Type(name), "dir", WRITE_FOLDER));
        }
        for class in ["rawip_socket", "packet_socket"] {
            all.push(Never(program, Target::Itself, class, &["create"]));
        }
        all.push(Never(
            program,
            Target::Type(TOOL),
            "process",
            &["ptrace", "signal", "sigkill", "transition", "dyntransition"],
        ));
    }
    for class in ["tcp_socket", "udp_socket", "netlink_route_socket"] {
        all.push(Never(PROGRAM, Target::Itself, class, &["create"]));
    }
    // Nobody gets a network by a change of domain.
    all.push(Never(
        PROGRAM,
        Target::Type(LAUNCHED),
        "process",
        &["transition", "dyntransition"],
    ));
}
