//! The rules, as statements.

use std::path::Path;

use super::statement::Statement::{self, Allow, Boolean, Comment, Domain, If, Named, Never, New, Optional, Role, Type};
use super::statement::Target;
use crate::generate::Model;
use crate::policy::TreeAccess;

/// The go command.
pub const TOOL: &str = "gosandbox_t";
/// What it builds.
pub const PROGRAM: &str = "gosandbox_program_t";
/// GOROOT.
pub const GOROOT: &str = "gosandbox_goroot_t";
/// GOROOT's executables.
pub const GOROOT_EXEC: &str = "gosandbox_goroot_exec_t";
/// The launcher.
pub const EXEC: &str = "gosandbox_exec_t";
/// GOCACHE.
pub const CACHE: &str = "gosandbox_cache_t";
/// GOMODCACHE.
pub const MODCACHE: &str = "gosandbox_modcache_t";
/// GOCACHE of go commands that programs run.
pub const PROGRAM_CACHE: &str = "gosandbox_program_cache_t";
/// The work tree.
pub const WORK: &str = "gosandbox_work_t";
/// `testdata` folders in it.
pub const TESTDATA: &str = "gosandbox_testdata_t";
/// Protected paths in it.
pub const PROTECTED: &str = "gosandbox_protected_t";
/// The go command's temporary files.
pub const TMP: &str = "gosandbox_tmp_t";
/// Programs' temporary files.
pub const PROGRAM_TMP: &str = "gosandbox_program_tmp_t";

const FILES: [&str; 11] = [
    GOROOT, GOROOT_EXEC, EXEC, CACHE, MODCACHE, PROGRAM_CACHE, WORK, TESTDATA, PROTECTED, TMP, PROGRAM_TMP,
];

const READ_FOLDER: &[&str] = &["getattr", "ioctl", "lock", "open", "read", "search"];
const READ: &[&str] = &["getattr", "ioctl", "lock", "map", "open", "read"];
const READ_LINK: &[&str] = &["getattr", "read"];
const RUN: &[&str] = &["execute", "execute_no_trans", "getattr", "ioctl", "map", "open", "read"];
const ENTER: &[&str] = &["execute", "getattr", "map", "open", "read"];
const MANAGE_FOLDER: &[&str] = &[
    "add_name", "create", "getattr", "ioctl", "lock", "open", "read", "remove_name", "rename", "reparent", "rmdir",
    "search", "setattr", "write",
];
const MANAGE: &[&str] = &[
    "append", "create", "getattr", "ioctl", "link", "lock", "map", "open", "read", "rename", "setattr", "unlink",
    "write",
];
const MANAGE_LINK: &[&str] = &["create", "getattr", "read", "rename", "setattr", "unlink"];
const WRITE: &[&str] = &["append", "create", "link", "rename", "setattr", "unlink", "write"];
const WRITE_FOLDER: &[&str] = &["add_name", "create", "remove_name", "rename", "reparent", "rmdir", "setattr", "write"];
const SOCKET: &[&str] = &[
    "accept", "append", "bind", "connect", "create", "getattr", "getopt", "ioctl", "listen", "read", "setattr", "setopt",
    "shutdown", "write",
];
const TRANSITION: &[&str] = &["transition"];
const NNP: &[&str] = &["nnp_transition", "nosuid_transition"];

/// Every statement of the module.
pub fn statements(model: &Model<'_>) -> Vec<Statement> {
    let mut all = vec![
        Comment("domains and types"),
        Type(TOOL, &["domain"]),
        Type(PROGRAM, &["domain"]),
        Boolean("gosandbox_programs_write_work", model.policy.files.test == TreeAccess::Write),
        Boolean("gosandbox_tool_network", !model.policy.network.allow.is_empty()),
        Boolean("gosandbox_attach", false),
    ];
    all.extend(FILES.map(|name| match name {
        GOROOT_EXEC | EXEC | CACHE | WORK | TESTDATA | TMP | PROGRAM_TMP | PROGRAM_CACHE => {
            Type(name, &["file_type", "entry_type"])
        }
        _ => Type(name, &["file_type"]),
    }));
    all.push(Optional("gosandbox_mcs", vec![
        Statement::Type(TOOL, &["mcs_constrained_type"]),
        Statement::Type(PROGRAM, &["mcs_constrained_type"]),
    ]));
    for domain in [TOOL, PROGRAM] {
        base(&mut all, domain);
        all.extend(read_files(domain));
    }
    tool(&mut all);
    program(&mut all, model.policy.files.test);
    created(&mut all, model);
    callers(&mut all);
    never(&mut all);
    all
}

/// What every process does with itself, and with the system's files that any program reads.
fn base(all: &mut Vec<Statement>, domain: &'static str) {
    all.push(Comment("a process of its own, and the system's files"));
    all.extend([
        Allow(domain, "self", "process", &[
            "fork", "getattr", "getcap", "getpgid", "getrlimit", "getsched", "getsession", "setcap", "setexec", "setpgid",
            "setrlimit", "setsched", "sigchld", "sigkill", "signal", "signull", "sigstop",
        ]),
        Allow(domain, "self", "fd", &["use"]),
        Allow(domain, "self", "fifo_file", &["append", "getattr", "ioctl", "lock", "open", "read", "write"]),
        Allow(domain, "self", "file", &["append", "getattr", "ioctl", "lock", "open", "read", "write"]),
        Allow(domain, "self", "dir", READ_FOLDER),
        Allow(domain, "self", "lnk_file", READ_LINK),
        Allow(domain, "self", "unix_stream_socket", SOCKET),
        Allow(domain, "self", "unix_stream_socket", &["connectto"]),
        Allow(domain, "self", "unix_dgram_socket", SOCKET),
        Allow(domain, "self", "unix_dgram_socket", &["sendto"]),
        Allow(domain, "self", "cap_userns", &["net_admin", "setpcap", "sys_admin"]),
    ]);
    all.push(Optional("gosandbox_userns", vec![Allow(domain, "self", "user_namespace", &["create"])]));
    for read in ["etc_t", "usr_t", "locale_t", "bin_t", "proc_t", "sysfs_t", "sysctl_t", "sysctl_kernel_t", "sysctl_net_t",
        "sysctl_vm_t", "sysctl_vm_overcommit_t", "cgroup_t", "proc_net_t", "ld_so_cache_t", "net_conf_t"] {
        all.extend([
            Allow(domain, read, "dir", READ_FOLDER),
            Allow(domain, read, "file", &["getattr", "ioctl", "lock", "open", "read"]),
            Allow(domain, read, "lnk_file", READ_LINK),
        ]);
    }
    for on_the_way in ["home_root_t", "user_home_dir_t", "tmp_t", "var_t", "var_run_t", "src_t", "default_t"] {
        all.push(Allow(domain, on_the_way, "dir", &["getattr", "search"]));
    }
    let homes = match domain {
        TOOL => [("gosandbox_tool_xdg", "xdg_cache_t"), ("gosandbox_tool_cache_home", "cache_home_t")],
        _ => [("gosandbox_program_xdg", "xdg_cache_t"), ("gosandbox_program_cache_home", "cache_home_t")],
    };
    for (name, folder) in homes {
        all.push(Optional(name, vec![Allow(domain, folder, "dir", &["getattr", "search"])]));
    }
    for device in ["null_device_t", "zero_device_t", "devtty_t", "ptmx_t"] {
        all.push(Allow(domain, device, "chr_file", &["append", "getattr", "ioctl", "open", "read", "write"]));
    }
    for device in ["urandom_device_t", "random_device_t"] {
        all.push(Allow(domain, device, "chr_file", &["getattr", "ioctl", "open", "read"]));
    }
    // Inherited standard output; a file of another type must be relayed by a pipe (`| cat >log`).
    for terminal in ["user_devpts_t", "user_tty_device_t", "console_device_t", "tty_device_t", "devpts_t"] {
        all.push(Allow(domain, terminal, "chr_file", &["append", "getattr", "ioctl", "read", "write"]));
    }
    // The launcher's view of the system is a file system in memory.
    for memory in ["tmpfs_t", "user_tmpfs_t"] {
        all.extend([
            Allow(domain, memory, "filesystem", &["getattr"]),
            Allow(domain, memory, "dir", &["add_name", "getattr", "open", "read", "search", "write"]),
            Allow(domain, memory, "file", &["getattr", "open", "read"]),
            Allow(domain, memory, "lnk_file", READ_LINK),
        ]);
    }
}

/// Files that both domains read.
fn read_files(domain: &'static str) -> Vec<Statement> {
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

fn manage(all: &mut Vec<Statement>, domain: &'static str, name: &'static str) {
    all.push(Allow(domain, name, "dir", MANAGE_FOLDER));
    all.push(Allow(domain, name, "file", MANAGE));
    all.push(Allow(domain, name, "lnk_file", MANAGE_LINK));
    all.push(Allow(domain, name, "sock_file", &["create", "getattr", "setattr", "unlink", "write"]));
    all.push(Allow(domain, name, "fifo_file", &["create", "getattr", "open", "read", "unlink", "write"]));
}

fn tool(all: &mut Vec<Statement>) {
    all.push(Comment("the go command"));
    for name in [CACHE, MODCACHE, WORK, TESTDATA, TMP, PROGRAM_TMP] {
        manage(all, TOOL, name);
    }
    all.push(Allow(TOOL, "tmp_t", "dir", &["add_name", "getattr", "open", "read", "remove_name", "search", "write"]));
    all.push(Allow(TOOL, "user_tmp_t", "dir", &["add_name", "getattr", "open", "read", "remove_name", "search", "write"]));
    all.push(Allow(TOOL, EXEC, "file", RUN));
    all.push(Allow(TOOL, EXEC, "file", &["entrypoint"]));
    for program in [CACHE, PROGRAM_CACHE, WORK, TESTDATA, TMP, PROGRAM_TMP, "bin_t", "shell_exec_t"] {
        all.push(Allow(TOOL, program, "file", ENTER));
        all.push(Domain(TOOL, program, PROGRAM));
    }
    all.extend([
        Allow(TOOL, PROGRAM, "process", TRANSITION),
        Allow(TOOL, PROGRAM, "process2", NNP),
        Allow(TOOL, PROGRAM, "process", &["getattr", "getpgid", "sigkill", "signal", "signull", "sigstop"]),
        Allow(TOOL, PROGRAM, "dir", &["getattr", "search"]),
        Allow(PROGRAM, TOOL, "fd", &["use"]),
        Allow(PROGRAM, TOOL, "fifo_file", &["append", "getattr", "ioctl", "read", "write"]),
        Allow(PROGRAM, TOOL, "process", &["sigchld"]),
        Allow(PROGRAM, TOOL, "unix_stream_socket", &["getattr", "read", "write"]),
    ]);
    all.push(If("gosandbox_tool_network", vec![
        Allow(TOOL, "self", "tcp_socket", SOCKET),
        Allow(TOOL, "self", "udp_socket", SOCKET),
        Allow(TOOL, "port_type", "tcp_socket", &["name_connect"]),
        Allow(TOOL, "node_type", "tcp_socket", &["node_bind"]),
    ]));
}

fn program(all: &mut Vec<Statement>, test: TreeAccess) {
    all.push(Comment("what it builds"));
    for name in [PROGRAM_CACHE, PROGRAM_TMP] {
        manage(all, PROGRAM, name);
    }
    for program in [CACHE, PROGRAM_CACHE, WORK, TESTDATA, TMP, PROGRAM_TMP, "bin_t", "shell_exec_t"] {
        all.push(Allow(PROGRAM, program, "file", RUN));
        all.push(Allow(PROGRAM, program, "file", &["entrypoint"]));
    }
    // A test's log beside what go built: it adds files, and changes none of go's.
    all.push(Allow(PROGRAM, TMP, "dir", &["add_name", "getattr", "open", "read", "search", "write"]));
    all.push(Allow(PROGRAM, "tmp_t", "dir", &["add_name", "getattr", "open", "read", "remove_name", "search", "write"]));
    all.push(Allow(PROGRAM, "user_tmp_t", "dir", &["add_name", "getattr", "open", "read", "remove_name", "search", "write"]));
    if test >= TreeAccess::Testdata {
        manage(all, PROGRAM, TESTDATA);
    }
    let mut written = Vec::new();
    manage(&mut written, PROGRAM, WORK);
    all.push(If("gosandbox_programs_write_work", written));
    all.push(Optional("gosandbox_git", vec![
        Allow(PROGRAM, "git_exec_t", "file", RUN),
        Allow(PROGRAM, "git_exec_t", "file", &["entrypoint"]),
        Allow(TOOL, "git_exec_t", "file", ENTER),
        Domain(TOOL, "git_exec_t", PROGRAM),
    ]));
}

/// The types of what is made.
fn created(all: &mut Vec<Statement>, model: &Model<'_>) {
    all.push(Comment("the types of what is made"));
    for (domain, name) in [(TOOL, TMP), (PROGRAM, PROGRAM_TMP)] {
        for folder in ["tmp_t", "user_tmp_t", "tmpfs_t", "user_tmpfs_t"] {
            all.push(New(domain, folder, "dir", name));
            all.push(New(domain, folder, "file", name));
            all.push(New(domain, folder, "sock_file", name));
        }
    }
    for class in ["dir", "file", "lnk_file", "sock_file", "fifo_file"] {
        all.push(New(PROGRAM, TMP, class, PROGRAM_TMP));
    }
    for domain in [TOOL, PROGRAM] {
        all.push(Named(domain, WORK, "dir", "testdata".into(), TESTDATA));
        for name in &model.policy.files.protected {
            // Only a last name can be told apart; a longer one is held by the labels of what is there.
            let Some(name) = plain(name) else { continue };
            for class in ["dir", "file", "lnk_file"] {
                all.push(Named(domain, WORK, class, name.to_owned(), PROTECTED));
            }
        }
    }
}

/// A name that can stand in quotes.
fn plain(path: &Path) -> Option<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.+".contains(c);
    path.to_str().filter(|name| name.chars().all(fits))
}

/// Who may enter: users, CI runners and services, container engines.
fn callers(all: &mut Vec<Statement>) {
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
        let mut inside = vec![Role(role, TOOL), Role(role, PROGRAM)];
        inside.extend(entry(caller));
        inside.push(If("gosandbox_attach", vec![Domain(caller, GOROOT_EXEC, TOOL)]));
        all.push(Optional(name, inside));
    }
    let mut container = vec![Role("system_r", TOOL), Role("system_r", PROGRAM)];
    container.extend(entry("container_runtime_t"));
    for domain in [TOOL, PROGRAM] {
        container.extend([
            Allow(domain, "container_file_t", "dir", READ_FOLDER),
            Allow(domain, "container_file_t", "file", RUN),
            Allow(domain, "container_file_t", "file", &["entrypoint"]),
            Allow(domain, "container_file_t", "lnk_file", READ_LINK),
            Allow(domain, "container_runtime_t", "unix_stream_socket", &["getattr", "read", "write"]),
        ]);
    }
    all.push(Optional("gosandbox_container", container));
}

fn entry(caller: &'static str) -> Vec<Statement> {
    let mut all = vec![
        Allow(caller, "self", "process", &["setexec"]),
        Allow(caller, GOROOT_EXEC, "file", ENTER),
        Allow(caller, EXEC, "file", RUN),
    ];
    for domain in [TOOL, PROGRAM] {
        all.extend([
            Allow(caller, domain, "process", TRANSITION),
            Allow(caller, domain, "process", &["getattr", "getpgid", "sigkill", "signal", "signull", "sigstop"]),
            Allow(caller, domain, "process2", NNP),
            Allow(domain, caller, "fd", &["use"]),
            Allow(domain, caller, "fifo_file", &["append", "getattr", "ioctl", "read", "write"]),
            Allow(domain, caller, "unix_stream_socket", &["append", "getattr", "ioctl", "read", "write"]),
            Allow(domain, caller, "process", &["sigchld"]),
        ]);
    }
    all
}

/// What no other module may add.
fn never(all: &mut Vec<Statement>) {
    all.push(Comment("what never may be"));
    for domain in [TOOL, PROGRAM] {
        for name in [GOROOT, GOROOT_EXEC, PROTECTED, EXEC] {
            all.push(Never(domain, Target::Type(name), "file", WRITE));
            all.push(Never(domain, Target::Type(name), "dir", WRITE_FOLDER));
        }
        all.push(Never(domain, Target::AllBut(&[TOOL, PROGRAM]), "process", &["ptrace", "signal", "sigkill"]));
        all.push(Never(domain, Target::Itself, "process", &["execheap", "execmem", "execstack", "setcurrent"]));
    }
    for name in [CACHE, MODCACHE] {
        all.push(Never(PROGRAM, Target::Type(name), "file", WRITE));
        all.push(Never(PROGRAM, Target::Type(name), "dir", WRITE_FOLDER));
    }
    for class in ["tcp_socket", "udp_socket", "rawip_socket", "packet_socket", "netlink_route_socket"] {
        all.push(Never(PROGRAM, Target::Itself, class, &["create"]));
    }
    all.push(Never(PROGRAM, Target::Type(TOOL), "process", &["ptrace", "signal", "sigkill", "transition", "dyntransition"]));
}
