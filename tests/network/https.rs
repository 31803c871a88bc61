//! Programs that reach a host by name speak https to it, as without gosandbox.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::proxy::{Answer, Proxy};
use crate::support::needs_root;
use crate::tunnels::build;
use crate::{Ended, Env, Scene};

/// Go leaves proxies aside for this machine's own addresses: the client names it itself.
const GET: &str = include_str!("../fixtures/network/https.go");

#[test]
fn a_program_judges_a_real_tls_server_by_the_systems_certificates() {
    if !needs_root("a file of certificates that is root's") {
        return;
    }
    let server = Proxy::https(|_| Answer::Whole(b"by https".to_vec()));
    let stranger = Proxy::https(|_| Answer::Whole(b"by https".to_vec()));
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = Scene::new(env);
        scene
            .site
            .file("go.mod", "module example.test/main\n\ngo 1.21\n");
        scene.site.file("main.go", GET);
        scene.site.file(
            "main_test.go",
            "package main\n\nimport \"testing\"\n\nfunc TestGet(t *testing.T) { main() }\n",
        );
        build(&scene, GET);
        // As an administrator adds an authority.
        let certificates = scene.site.root.join("authority.pem");
        fs::copy(&server.ca, &certificates).unwrap();
        fs::set_permissions(&certificates, fs::Permissions::from_mode(0o644)).unwrap();
        let hosts = [&server, &stranger].map(|it| format!("127.0.0.1:{}", it.port));
        let options = [
            "--profile=dev",
            "--allow-host",
            &hosts[0],
            "--allow-host",
            &hosts[1],
        ];
        let urls = [
            format!("--env=NAMED=https://{}/", hosts[0]),
            format!("--env=STRANGER=https://{}/", hosts[1]),
        ];
        let options = [&options[..], &[urls[0].as_str(), urls[1].as_str()]].concat();
        for words in [
            &["go", "test", "-v", "-count=1", "-buildvcs=false", "."][..],
            &["./client"],
        ] {
            let mut command = scene.site.gosandbox(&options, words);
            command.env("SSL_CERT_FILE", &certificates);
            let ended = Ended::of(&mut command).expect(0);
            let ended = ended.says("NAMED by https");
            ended.says("STRANGER refused");
        }
        // A variable shows no file of the user's own: the system's are there instead.
        let own = scene.site.home.join("own.pem");
        fs::copy(&server.ca, &own).unwrap();
        scene.settle();
        if env != Env::Root {
            let mut command = scene.site.gosandbox(&options, &["./client"]);
            command.env("SSL_CERT_FILE", &own);
            Ended::of(&mut command).expect(0).says("NAMED refused");
        }
    }
}
