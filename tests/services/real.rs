//! A real PostgreSQL and a real Redis, started on free ports for this test.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{Ended, Env, Lacks, Site, base, is_root, needs_program, ports, skip, wait};

const TEST: &str = include_str!("../fixtures/services/databases_test.go");

/// A server that ends with the value.
struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
    /// Ends it with all its processes, at once, and also where this process has it ignored.
    signal: &'static str,
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _it_may_have_ended = Command::new("kill").args([self.signal, &pid]).status();
        let _reaped = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A command of the user who owns Debian's PostgreSQL, which does not run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(program);
    command
}

fn folder(name: &str) -> PathBuf {
    let folder = base().join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn postgres() -> Option<Server> {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let mut versions = versions.into_iter().flatten().flatten();
    let programs = versions.find_map(|it| {
        let programs = it.path().join("bin");
        programs.join("initdb").exists().then_some(programs)
    });
    let Some(programs) = programs else {
        skip(Lacks::Host, "PostgreSQL is not installed");
        return None;
    };
    let folder = folder("postgres");
    if is_root() {
        let owned = Command::new("chown").arg("postgres").arg(&folder).status();
        assert!(owned.unwrap().success());
    }
    let data = folder.join("data");
    let mut made = as_postgres(&programs.join("initdb"));
    made.arg("--pgdata").arg(&data);
    made.args(["--auth=trust", "--username=tester", "--no-sync"]);
    made.current_dir("/").env("LC_ALL", "C");
    Ended::of(&mut made).expect(0);
    let port = ports::free();
    let mut server = as_postgres(&programs.join("postgres"));
    server.arg("-D").arg(&data);
    server.args(["-p", &port.to_string(), "-h", "127.0.0.1", "-F", "-k"]);
    server.arg(&folder).current_dir("/").env("LC_ALL", "C");
    // Its processes have a handler of their own for it.
    Some(start(server, port, folder, "-QUIT"))
}

fn redis() -> Option<Server> {
    if !needs_program("redis-server", "redis-server") {
        return None;
    }
    let folder = folder("redis");
    let port = ports::free();
    let mut server = Command::new("redis-server");
    server.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    server.args(["--save", "", "--appendonly", "no"]);
    server.current_dir(&folder);
    Some(start(server, port, folder, "-KILL"))
}

fn start(mut server: Command, port: u16, folder: PathBuf, signal: &'static str) -> Server {
    server.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = server.stderr(Stdio::null()).spawn().unwrap();
    wait::eventually("a server answers", || {
        assert!(child.try_wait().unwrap().is_none(), "{server:?} has ended");
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    Server {
        child,
        port,
        folder,
        signal,
    }
}

#[test]
fn tests_work_with_a_real_database_and_a_real_cache() {
    let (Some(postgres), Some(redis)) = (postgres(), redis()) else {
        return;
    };
    let (postgres, redis) = (postgres.port.to_string(), redis.port.to_string());
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        site.file("go.mod", "module example.test/main\n\ngo 1.21\n");
        site.file("databases_test.go", TEST);
        site.settle();
        let options = [
            "--profile=ci",
            "--service",
            &postgres,
            &format!("--service=localhost:{redis}"),
            "--env",
            &format!("POSTGRES={postgres}"),
            "--env",
            &format!("REDIS={redis}"),
        ];
        let words = ["go", "test", "-count=1", "-v", "-buildvcs=false", "."];
        let ended = site.run(&options, &words).expect(0);
        ended.says("POSTGRES 5000050000").says("REDIS 1048576");
        // The control: without the options neither is there.
        let ended = site.run(&options[4..], &words).expect(1);
        assert!(!ended.stdout.contains("POSTGRES 5000050000"), "{env:?}");
    }
}
