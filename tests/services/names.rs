//! Names and addresses that programs find.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::support::{Env, Site, in_environments};
use crate::{Echo, looks};

#[test]
fn the_own_name_has_an_address_that_is_no_loopback_one_and_leads_nowhere_else() {
    for env in Env::ALL
        .into_iter()
        .filter(|env| env.is_here() && env.has_namespaces())
    {
        let site = Site::new(env);
        site.file("go.mod", "module example.test/main\n\ngo 1.21\n");
        let test = include_str!("../fixtures/services/names_test.go");
        site.file("names_test.go", test);
        site.settle();
        site.warm_own_cache();
        let words = ["go", "test", "-count=1", "-v", "-buildvcs=false", "."];
        let ended = site.run(&[], &words).expect(0);
        let ended = ended.says("OWN NAME [192.0.2.1] <nil>");
        let ended = ended.says("ADDRESS 192.0.2.1/32 there");
        assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
        // A command that is a program itself.
        let shell = "go test -count=1 -v -buildvcs=false .";
        let ended = site.run(&[], &["sh", "-c", shell]).expect(0);
        ended.says("ADDRESS 192.0.2.1/32 there");
    }
}

/// `db.localhost` is this machine (RFC 6761), by whatever resolver.
fn a_service_of_a_named_host_is_reached_at_its_port_and_with_namespaces_by_its_name(env: Env) {
    let echo = Echo::new();
    let service = format!("db.localhost:{}", echo.port);
    let site = looks(env, &[&echo.address(), &service]);
    let words = ["go", "test", "-count=1", "-v", "-buildvcs=false", "."];
    let ended = site.run(&["--profile=ci", "--service", &service], &words);
    let ended = ended
        .expect(0)
        .says(&format!("test {} answers echo hello", echo.address()));
    if env.has_namespaces() {
        ended.says(&format!("test {service} answers echo hello"));
    }
}
in_environments!(a_service_of_a_named_host_is_reached_at_its_port_and_with_namespaces_by_its_name);

fn a_service_at_another_address_is_the_one_that_is_reached(env: Env) {
    let other = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = other.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in other.incoming().flatten() {
            let mut line = String::new();
            let _gone = BufReader::new(stream.try_clone().unwrap()).read_line(&mut line);
            let _gone = stream.write_all(b"the other\n");
        }
    });
    let site = looks(env, &[&format!("127.0.0.1:{port}")]);
    let words = ["go", "test", "-count=1", "-v", "-buildvcs=false", "."];
    let option = format!("--service=127.0.0.2:{port}");
    site.run(&["--profile=ci", &option], &words)
        .expect(0)
        .says("answers the other");
}
in_environments!(a_service_at_another_address_is_the_one_that_is_reached);

#[test]
fn a_host_that_cannot_be_resolved_is_named_where_the_command_fails() {
    let site = looks(Env::User, &["127.0.0.1:6379"]);
    site.warm_own_cache();
    let script = "go build -buildvcs=false -o $TMPDIR/look . && $TMPDIR/look; exit 3";
    let options = ["--profile=ci", "--service=nowhere.invalid.:6379"];
    let ended = site.run(&options, &["sh", "-c", script]);
    assert_eq!(ended.status, 125, "{ended:?}");
    let options = ["--profile=ci", "--service=nowhere.invalid:6379"];
    let ended = site.run(&options, &["sh", "-c", script]).expect(3);
    ended.says("connections to service nowhere.invalid:6379 could not be passed on");
}
