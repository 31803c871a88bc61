//! What upstreams are trusted with: certificates, pins, credentials, and where they may send to.

use std::io::Write;

use gosandbox::gateway::{Caller, Service};
use gosandbox::policy::{Modules, Network, Pin};

use crate::inside::{Inside, modules, of};
use crate::modules::Tree;
use crate::proxy::{Answer, Proxy};

const LIST: &str = "example.com/a/@v/list";

fn good() -> Proxy {
    let mut tree = Tree::default();
    tree.hello("example.com/a", "v1.0.0");
    Proxy::https(move |asked| tree.answer(asked))
}

fn with_netrc(modules: Modules, text: &str) -> (Inside, tempfile::NamedTempFile) {
    let mut netrc = tempfile::NamedTempFile::new().unwrap();
    netrc.write_all(text.as_bytes()).unwrap();
    let caller = Caller {
        netrc: Some(netrc.path().to_owned()),
        ..Caller::default()
    };
    let service = Service::ModulesAndTunnel;
    (
        Inside::with(modules, Network::default(), caller, service),
        netrc,
    )
}

#[test]
fn an_authority_that_nobody_named_is_not_trusted() {
    let (proxy, other) = (good(), good());
    for modules in [
        modules(&proxy.address),
        Modules {
            ca: vec![other.ca.clone()],
            ..modules(&proxy.address)
        },
    ] {
        let line = Inside::new(modules).status_line(LIST);
        assert!(
            line.starts_with("HTTP/1.1 502 gosandbox cannot fetch from https://"),
            "{line}"
        );
        assert!(line.contains(": its certificate is "), "{line}");
    }
    assert!(proxy.asked().is_empty());
    assert_eq!(Inside::new(of(&proxy)).get(LIST).0, "200");
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_in_words() {
    let proxy = Proxy::authority_itself();
    let line = Inside::new(of(&proxy)).status_line(LIST);
    assert!(
        line.contains("it shows the certificate of an authority as its own"),
        "{line}"
    );
    let plain = Proxy::http(|_| Answer::Dead);
    let address = plain.address.replace("http:", "https:");
    let line = Inside::new(modules(&address)).status_line(LIST);
    assert!(
        !line.contains("InvalidMessage") && !line.contains("EndEntity"),
        "{line}"
    );
}

#[test]
fn a_pinned_upstream_must_show_its_key_or_be_signed_by_its_authority() {
    let (proxy, other) = (good(), good());
    let pinned = |ca: bool, pin: Pin| Modules {
        ca: if ca {
            vec![proxy.ca.clone(), other.ca.clone()]
        } else {
            Vec::new()
        },
        pins: [(proxy.address.clone(), pin)].into(),
        ..modules(&proxy.address)
    };
    let status = |modules: Modules| Inside::new(modules).get(LIST).0;
    assert_eq!(status(pinned(true, Pin::Key(proxy.key))), "200");
    assert_eq!(status(pinned(true, Pin::Key(other.key))), "502");
    // The right key does not make up for a certificate that is not valid.
    assert_eq!(status(pinned(false, Pin::Key(proxy.key))), "502");
    assert_eq!(
        status(pinned(false, Pin::Authority(proxy.ca.clone()))),
        "200"
    );
    // The pinned authority, and no other that is trusted elsewhere.
    assert_eq!(
        status(pinned(true, Pin::Authority(other.ca.clone()))),
        "502"
    );
}

#[test]
fn credentials_go_to_their_host_and_to_no_other() {
    let elsewhere = good();
    let target = format!("{}/{LIST}", elsewhere.address);
    let proxy = Proxy::https(move |asked| match asked.path.contains("/b/") {
        true => Answer::Headers(302, format!("Location: {target}\r\n")),
        false => Answer::Whole(b"v1.0.0\n".to_vec()),
    });
    let text = format!(
        "machine 127.0.0.1:{} login u password hunter2\nmachine other login x password y\n",
        proxy.port
    );
    let modules = Modules {
        ca: vec![proxy.ca.clone(), elsewhere.ca.clone()],
        // The second is named, so that it may be redirected to.
        ..modules(&format!("{},{}", proxy.address, elsewhere.address))
    };
    let (inside, _netrc) = with_netrc(modules, &text);
    assert_eq!(inside.get("example.com/a/@v/list").0, "200");
    assert_eq!(inside.get("example.com/b/@v/list").0, "200");
    let first = proxy.asked();
    assert_eq!(first[0].header("authorization"), Some("Basic dTpodW50ZXIy"));
    let second = elsewhere.asked();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].header("authorization"), None);
    assert!(!inside.audit_text().contains("hunter2") && !inside.audit_text().contains("dTpodW"));
}

#[test]
fn credentials_are_never_sent_in_the_clear() {
    let proxy = Proxy::http(|_| Answer::Whole(Vec::new()));
    let text = format!("machine 127.0.0.1:{} login u password p\n", proxy.port);
    let (inside, _netrc) = with_netrc(modules(&proxy.address), &text);
    assert_eq!(inside.get(LIST).0, "200");
    assert_eq!(proxy.asked()[0].header("authorization"), None);
}

#[test]
fn a_file_of_the_profile_stands_in_for_netrc() {
    let proxy = good();
    let line = |login: &str| {
        format!(
            "machine 127.0.0.1:{} login {login} password p\n",
            proxy.port
        )
    };
    let mut own = tempfile::NamedTempFile::new().unwrap();
    own.write_all(line("own").as_bytes()).unwrap();
    let modules = Modules {
        credentials: Some(own.path().to_owned()),
        ..of(&proxy)
    };
    let (inside, _netrc) = with_netrc(modules, &line("netrc"));
    assert_eq!(inside.get(LIST).0, "200");
    assert_eq!(
        proxy.asked()[0].header("authorization"),
        Some("Basic b3duOnA=")
    );
}

#[test]
fn a_redirect_into_a_private_network_is_refused() {
    let victim = Proxy::https(|_| Answer::Whole(b"secret".to_vec()));
    let port = victim.port;
    for target in [
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://0.0.0.0:{port}/"),
        format!("https://0x7f.1:{port}/"),
        format!("https://2130706433:{port}/"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://user@127.0.0.1/".to_owned(),
        format!("//127.0.0.1:{port}/"),
        "http://proxy.golang.org/".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        let location = format!("Location: {target}\r\n");
        let proxy = Proxy::https(move |_| Answer::Headers(302, location.clone()));
        let modules = Modules {
            ca: vec![proxy.ca.clone(), victim.ca.clone()],
            ..modules(&proxy.address)
        };
        let inside = Inside::new(modules);
        let line = inside.status_line(LIST);
        assert!(
            line.starts_with("HTTP/1.1 403 gosandbox cannot fetch from "),
            "{target}: {line}"
        );
    }
    assert!(victim.asked().is_empty());
}

#[test]
fn redirects_end() {
    let proxy = Proxy::https(|_| Answer::Headers(302, "Location: /again\r\n".to_owned()));
    let line = Inside::new(of(&proxy)).status_line(LIST);
    assert!(line.contains("stopped after 10 redirects"), "{line}");
    assert_eq!(proxy.asked().len(), 10);
}

#[test]
fn a_redirect_at_the_same_upstream_is_followed() {
    let proxy = Proxy::https(|asked| match asked.path.as_str() {
        "/moved?signature=x" => Answer::Whole(b"v1.0.0\n".to_vec()),
        _ => Answer::Headers(307, "Location: /moved?signature=x\r\n".to_owned()),
    });
    assert_eq!(Inside::new(of(&proxy)).get(LIST).1.unwrap(), b"v1.0.0\n");
}

#[test]
fn the_callers_proxy_is_gone_through_but_for_what_no_proxy_names() {
    let way_out = Proxy::http(|_| Answer::Status(403, String::new()));
    let caller = |no_proxy: &str| Caller {
        https_proxy: Some(format!("http://u:p@127.0.0.1:{}", way_out.port)),
        no_proxy: Some(no_proxy.to_owned()),
        ..Caller::default()
    };
    let status = |no_proxy: &str| {
        let modules = modules("https://modules.example.invalid");
        let service = Service::ModulesAndTunnel;
        let inside = Inside::with(modules, Network::default(), caller(no_proxy), service);
        inside.status_line(LIST)
    };
    let line = status("");
    assert!(
        line.starts_with("HTTP/1.1 502 ") && !line.contains("u:p"),
        "{line}"
    );
    let asked = way_out.asked();
    assert_eq!(asked[0].path, "modules.example.invalid:443");
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic dTpw"));
    let before = way_out.asked().len();
    assert!(status("example.invalid").starts_with("HTTP/1.1 502 "));
    assert_eq!(way_out.asked().len(), before);
}

#[test]
fn an_upstream_of_endless_headers_is_given_up() {
    let proxy =
        Proxy::https(|_| Answer::Headers(200, format!("X: {}\r\n", "a".repeat(900)).repeat(200)));
    let line = Inside::new(of(&proxy)).status_line(LIST);
    assert!(line.starts_with("HTTP/1.1 502 "), "{line}");
}
