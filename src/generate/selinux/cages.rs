//! The two cages: what each writes and executes, and the types of what it makes.

use std::path::Path;

use super::names::*;
use super::statement::Statement::{self, Allow, Comment, Domain, If, Named, New, Optional};
use crate::generate::Model;
use crate::policy::TreeAccess;

fn manage(all: &mut Vec<Statement>, domain: &'static str, name: &'static str) {
    all.push(Allow(domain, name, "dir", MANAGE_FOLDER));
    all.push(Allow(domain, name, "file", MANAGE));
    all.push(Allow(domain, name, "lnk_file", MANAGE_LINK));
    all.push(Allow(
        domain,
        name,
        "sock_file",
        &["create", "getattr", "setattr", "unlink", "write"],
    ));
    all.push(Allow(
        domain,
        name,
        "fifo_file",
        &["create", "getattr", "open", "read", "unlink", "write"],
    ));
}

pub fn tool(all: &mut Vec<Statement>) {
    all.push(Comment("the go command"));
    for name in [CACHE, MODCACHE, WORK, TESTDATA, TMP, PROGRAM_TMP] {
        manage(all, TOOL, name);
    }
    all.push(Allow(TOOL, "tmp_t", "dir", SHARE_FOLDER));
    all.push(Allow(TOOL, "user_tmp_t", "dir", SHARE_FOLDER));
    all.push(Allow(TOOL, EXEC, "file", RUN));
    all.push(Allow(TOOL, EXEC, "file", &["entrypoint"]));
    for program in [
        CACHE,
        PROGRAM_CACHE,
        WORK,
        TESTDATA,
        TMP,
        PROGRAM_TMP,
        "bin_t",
        "shell_exec_t",
    ] {
        all.push(Allow(TOOL, program, "file", ENTER));
        all.push(Domain(TOOL, program, PROGRAM));
    }
    for program in PROGRAMS {
        all.extend([
            Allow(TOOL, program, "process", TRANSITION),
            Allow(TOOL, program, "process2", NNP),
            Allow(TOOL, program, "process", SIGNAL),
            Allow(TOOL, program, "dir", PASS),
            Allow(program, TOOL, "fd", &["use"]),
            Allow(program, TOOL, "fifo_file", INHERIT),
            Allow(program, TOOL, "process", &["sigchld"]),
            Allow(program, TOOL, "unix_stream_socket", SOCKET_PAIR),
        ]);
    }
    // The wrapper brings a program's own loopback up: a socket that is asked, and sends nothing.
    all.push(Allow(TOOL, "self", "udp_socket", &["create", "ioctl"]));
    all.push(If(
        "gosandbox_tool_network",
        vec![
            Allow(TOOL, "self", "tcp_socket", SOCKET),
            Allow(TOOL, "self", "udp_socket", SOCKET),
            Allow(TOOL, "port_type", "tcp_socket", &["name_connect"]),
            Allow(TOOL, "node_type", "tcp_socket", &["node_bind"]),
        ],
    ));
}

pub fn program(all: &mut Vec<Statement>, domain: &'static str, test: TreeAccess) {
    all.push(Comment("what it builds"));
    for name in [PROGRAM_CACHE, PROGRAM_TMP] {
        manage(all, domain, name);
    }
    for program in [
        CACHE,
        PROGRAM_CACHE,
        WORK,
        TESTDATA,
        TMP,
        PROGRAM_TMP,
        "bin_t",
        "shell_exec_t",
    ] {
        all.push(Allow(domain, program, "file", RUN));
        all.push(Allow(domain, program, "file", &["entrypoint"]));
    }
    // A test's log beside what go built: it adds files, and changes none of go's.
    all.push(Allow(domain, TMP, "dir", ADD));
    all.push(Allow(domain, "tmp_t", "dir", SHARE_FOLDER));
    all.push(Allow(domain, "user_tmp_t", "dir", SHARE_FOLDER));
    if test >= TreeAccess::Testdata {
        manage(all, domain, TESTDATA);
    }
    let mut written = Vec::new();
    manage(&mut written, domain, WORK);
    all.push(If("gosandbox_programs_write_work", written));
    let git = match domain {
        PROGRAM => "gosandbox_git",
        _ => "gosandbox_launched_git",
    };
    all.push(Optional(
        git,
        vec![
            Allow(domain, "git_exec_t", "file", RUN),
            Allow(domain, "git_exec_t", "file", &["entrypoint"]),
            Allow(TOOL, "git_exec_t", "file", ENTER),
            Domain(TOOL, "git_exec_t", PROGRAM),
        ],
    ));
}

/// Sockets of the launched, whose network namespace has a loopback and nothing else. Outside of one SELinux
/// could not hold them to it: a connection is checked by its port, and by its address only where packets
/// are labelled.
pub fn loopback(all: &mut Vec<Statement>) {
    all.push(Comment(
        "what the launcher starts has a loopback of its own",
    ));
    for class in ["tcp_socket", "udp_socket"] {
        all.extend([
            Allow(LAUNCHED, "self", class, SOCKET),
            Allow(LAUNCHED, "node_type", class, &["node_bind"]),
            Allow(LAUNCHED, "port_type", class, &["name_bind"]),
        ]);
    }
    all.push(Allow(
        LAUNCHED,
        "port_type",
        "tcp_socket",
        &["name_connect"],
    ));
    all.push(Allow(
        LAUNCHED,
        "self",
        "netlink_route_socket",
        &[
            "bind",
            "create",
            "getattr",
            "getopt",
            "nlmsg_read",
            "read",
            "setopt",
            "write",
        ],
    ));
}

/// The types of what is made.
pub fn created(all: &mut Vec<Statement>, model: &Model<'_>) {
    all.push(Comment("the types of what is made"));
    for (domain, name) in [(TOOL, TMP), (PROGRAM, PROGRAM_TMP), (LAUNCHED, PROGRAM_TMP)] {
        for folder in ["tmp_t", "user_tmp_t", "tmpfs_t", "user_tmpfs_t"] {
            all.push(New(domain, folder, "dir", name));
            all.push(New(domain, folder, "file", name));
            all.push(New(domain, folder, "sock_file", name));
        }
    }
    for class in ["dir", "file", "lnk_file", "sock_file", "fifo_file"] {
        for domain in PROGRAMS {
            all.push(New(domain, TMP, class, PROGRAM_TMP));
        }
    }
    for domain in DOMAINS {
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
