//! What is refused by name, with what helps.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use crate::support::{Ended, Env, Site, ports};
use crate::{Echo, looks};

const TRUE: [&str; 1] = ["true"];

fn site() -> Site {
    looks(Env::User, &[])
}

#[test]
fn a_profile_that_does_not_let_programs_reach_services_refuses_the_option_and_names_one_that_does()
{
    let site = site();
    for (profile, options, help) in [
        ("strict", &["--service", "5432"][..], "--profile ci"),
        ("airgap", &["--service=redis:6379"], "--profile ci"),
        ("strict", &["--publish", "8080"], "--profile dev"),
        ("ci", &["--publish", "8080"], "--profile dev"),
        ("strict", &["--allow-host", "a.example"], "--profile dev"),
    ] {
        let profile = format!("--profile={profile}");
        let options = [&[profile.as_str()], options].concat();
        let ended = site.run(&options, &TRUE).expect(125);
        ended.refused("service-refused").says(help);
    }
    // For the go command itself a host is one of modules.
    site.run(&["--allow-host=a.example"], &["go", "version"])
        .expect(0);
    site.run(&["--profile=dev", "--allow-host=a.example"], &TRUE)
        .expect(0);
}

#[test]
fn ports_that_contradict_each_other_are_refused() {
    let site = site();
    for options in [
        &["--service=5432", "--service=db:5432"][..],
        &["--service=8080", "--publish=8080"],
        &["--service=9419"],
        &["--publish=9420"],
    ] {
        let options = [&["--profile=dev"], options].concat();
        site.run(&options, &TRUE)
            .expect(125)
            .refused("service-refused");
    }
    let many: Vec<_> = (1..=33).map(|port| format!("--service={port}")).collect();
    let mut options = vec!["--profile=ci"];
    options.extend(many.iter().map(String::as_str));
    site.run(&options, &TRUE)
        .expect(125)
        .refused("service-refused");
}

#[test]
fn values_that_name_no_port_are_refused() {
    let site = site();
    for option in [
        "--service=",
        "--service=0",
        "--service=65536",
        "--service=x",
        "--service=db:",
        "--service=:1",
        "--service=[::1]:1",
        "--service=a b:1",
        "--service=-1",
        "--publish=0",
        "--publish=db:1",
        "--publish=x",
    ] {
        let ended = site.run(&["--profile=dev", option], &TRUE);
        ended.expect(125).refused("option-value");
    }
}

#[test]
fn a_published_port_that_is_taken_is_refused() {
    let port = ports::free();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let site = site();
    let option = format!("--publish={port}");
    let ended = site.run(&["--profile=dev", &option], &TRUE).expect(125);
    ended.refused("port-unusable").says(&port.to_string());
    drop(taken);
    site.run(&["--profile=dev", &option], &TRUE).expect(0);
}

#[test]
fn sockets_of_the_hosts_services_are_refused_by_name() {
    let site = site();
    let folder = site.outside.join("run");
    for name in ["docker.sock", "postgresql/.s.PGSQL.5432", "other"] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        site.settle();
        let path = path.to_str().unwrap();
        for option in ["--ro", "--rw"] {
            let ended = site.run(&[option, path], &TRUE).expect(125);
            let ended = ended.refused("socket-refused").says(path);
            match name {
                "docker.sock" => ended.says("whoever reaches Docker is root on the host"),
                "other" => ended.says("leads out of the sandbox"),
                _ => ended.says("--service 5432"),
            };
        }
    }
    // Through the folder that holds it, where the account's own engine has its socket.
    let socket = site.home.join(".docker/run/docker.sock");
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let _listener = UnixListener::bind(&socket).unwrap();
    site.settle();
    let folder = site.home.join(".docker");
    let ended = site.run(&["--ro", folder.to_str().unwrap()], &TRUE);
    ended
        .expect(125)
        .refused("socket-refused")
        .says(".docker/run/docker.sock");
}

#[test]
fn a_variable_that_names_an_engines_socket_is_refused() {
    let site = site();
    let value = "DOCKER_HOST=unix:///run/user/1000/docker.sock";
    let ended = site.run(&["--env", value], &TRUE).expect(125);
    ended.refused("socket-refused").says("DOCKER_HOST");
    let mut command = site.gosandbox(&["--env", "CONTAINER_HOST"], &TRUE);
    command.env("CONTAINER_HOST", "unix:///run/podman/podman.sock");
    Ended::of(&mut command)
        .expect(125)
        .refused("socket-refused");
    // One that is not passed is nobody's business, and an engine of the run's own is a service.
    let mut command = site.gosandbox(&[], &TRUE);
    command.env("DOCKER_HOST", "unix:///run/docker.sock");
    Ended::of(&mut command).expect(0);
    site.run(&["--env", "DOCKER_HOST=tcp://docker:2375"], &TRUE)
        .expect(0);
}

#[test]
fn allow_host_for_the_loopback_says_what_is_meant() {
    let echo = Echo::new();
    let site = site();
    let host = echo.address();
    let options = ["--profile=dev", "--allow-host", &host];
    let option = format!("--service {}", echo.port);
    site.run(&options, &TRUE).expect(0).says(&option);
}

#[test]
fn a_service_that_nobody_serves_is_named_where_the_command_fails() {
    let port = ports::free();
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = looks(env, &[&format!("127.0.0.1:{port}")]);
        site.warm_own_cache();
        let option = format!("--service={port}");
        let fails = [
            "sh",
            "-c",
            "go build -buildvcs=false -o $TMPDIR/look . && $TMPDIR/look; exit 3",
        ];
        let ended = site.run(&["--profile=ci", &option], &fails).expect(3);
        let warning = format!("1 of 1 connections to service {port} could not be passed on");
        ended.says(&warning).says("Connection refused");
    }
}
