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
    all.push(Allow(
        TOOL,
        "tmp_t",
        "dir",
        &[
            "add_name",
            "getattr",
            "open",
            "read",
            "remove_name",
            "search",
            "write",
        ],
    ));
    all.push(Allow(
        TOOL,
        "user_tmp_t",
        "dir",
        &[
            "add_name",
            "getattr",
            "open",
            "read",
            "remove_name",
            "search",
            "write",
        ],
    ));
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
    all.extend([
        Allow(TOOL, PROGRAM, "process", TRANSITION),
        Allow(TOOL, PROGRAM, "process2", NNP),
        Allow(
            TOOL,
            PROGRAM,
            "process",
            &[
                "getattr", "getpgid", "sigkill", "signal", "signull", "sigstop",
            ],
        ),
        Allow(TOOL, PROGRAM, "dir", &["getattr", "search"]),
        Allow(PROGRAM, TOOL, "fd", &["use"]),
        Allow(
            PROGRAM,
            TOOL,
            "fifo_file",
            &["append", "getattr", "ioctl", "read", "write"],
        ),
        Allow(PROGRAM, TOOL, "process", &["sigchld"]),
        Allow(
            PROGRAM,
            TOOL,
            "unix_stream_socket",
            &["getattr", "read", "write"],
        ),
    ]);
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

pub fn program(all: &mut Vec<Statement>, test: TreeAccess) {
    all.push(Comment("what it builds"));
    for name in [PROGRAM_CACHE, PROGRAM_TMP] {
        manage(all, PROGRAM, name);
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
        all.push(Allow(PROGRAM, program, "file", RUN));
        all.push(Allow(PROGRAM, program, "file", &["entrypoint"]));
    }
    // A test's log beside what go built: it adds files, and changes none of go's.
    all.push(Allow(
        PROGRAM,
        TMP,
        "dir",
        &["add_name", "getattr", "open", "read", "search", "write"],
    ));
    all.push(Allow(
        PROGRAM,
        "tmp_t",
        "dir",
        &[
            "add_name",
            "getattr",
            "open",
            "read",
            "remove_name",
            "search",
            "write",
        ],
    ));
    all.push(Allow(
        PROGRAM,
        "user_tmp_t",
        "dir",
        &[
            "add_name",
            "getattr",
            "open",
            "read",
            "remove_name",
            "search",
            "write",
        ],
    ));
    if test >= TreeAccess::Testdata {
        manage(all, PROGRAM, TESTDATA);
    }
    let mut written = Vec::new();
    manage(&mut written, PROGRAM, WORK);
    all.push(If("gosandbox_programs_write_work", written));
    all.push(Optional(
        "gosandbox_git",
        vec![
            Allow(PROGRAM, "git_exec_t", "file", RUN),
            Allow(PROGRAM, "git_exec_t", "file", &["entrypoint"]),
            Allow(TOOL, "git_exec_t", "file", ENTER),
            Domain(TOOL, "git_exec_t", PROGRAM),
        ],
    ));
}

/// The types of what is made.
pub fn created(all: &mut Vec<Statement>, model: &Model<'_>) {
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
