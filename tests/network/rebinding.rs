//! Names that lead elsewhere from one question to the next, or to several places at once: what is connected
//! to is the address that was checked. All in a net namespace with a name server of the test's own.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::proxy::{Answer, Proxy};
use crate::{Env, Scene, apart, dns, tunnels, write};

/// Of the internet, anywhere but here.
const PUBLIC: &str = "93.184.215.14";
/// Nothing listens there.
const CLOSED: &str = "93.184.215.15";
const PRIVATE: [&str; 4] = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1"];

/// How often each name was asked for.
type Asked = Mutex<BTreeMap<String, usize>>;

fn zone(asked: &Asked, name: &str, kind: u16) -> Vec<IpAddr> {
    let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
    let case = name.split(['.', '-']).next().unwrap();
    match (case, kind) {
        ("flip", dns::A) => {
            let mut asked = asked.lock().unwrap();
            let count = asked.entry(name.to_owned()).or_default();
            *count += 1;
            parse(&[[PRIVATE[0], PUBLIC][*count % 2]])
        }
        ("both", dns::A) => parse(&[CLOSED, PRIVATE[0], PRIVATE[1], PRIVATE[2]]),
        ("both", _) => parse(&["::1"]),
        ("disguised", dns::A) => Vec::new(),
        ("disguised", _) => parse(&["::ffff:127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::7f00:1"]),
        ("straight", dns::A) => parse(&PRIVATE[..3]),
        ("straight", _) => parse(&["::1"]),
        _ => Vec::new(),
    }
}

/// A service that echoes a line, and how many have come.
fn echo(at: SocketAddr) -> Arc<AtomicUsize> {
    let listener = TcpListener::bind(at).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let connections = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            let mut line = [0; 6];
            if stream.read_exact(&mut line).is_ok() {
                let _gone = stream.write_all(&[b"echo ", &line[..]].concat());
            }
        }
    });
    count
}

/// The same port on the public address, and on each private one.
struct Places {
    port: u16,
    public: Arc<AtomicUsize>,
    private: Vec<Arc<AtomicUsize>>,
}

impl Places {
    fn new() -> Places {
        const PORT: u16 = 8443;
        let at = |address: &str| SocketAddr::new(address.parse().unwrap(), PORT);
        Places {
            port: PORT,
            public: echo(at(PUBLIC)),
            private: PRIVATE.iter().map(|address| echo(at(address))).collect(),
        }
    }

    fn public(&self) -> usize {
        self.public.load(Ordering::SeqCst)
    }

    fn private(&self) -> usize {
        let each = self
            .private
            .iter()
            .map(|count| count.load(Ordering::SeqCst));
        each.sum()
    }
}

#[test]
fn a_name_that_changes_its_mind_leads_no_tunnel_and_no_redirect_to_a_private_address() {
    if !apart::is(
        "rebinding::a_name_that_changes_its_mind_leads_no_tunnel_and_no_redirect_to_a_private_address",
    ) {
        return;
    }
    let asked = Asked::default();
    apart::set_up(&[PUBLIC, CLOSED, PRIVATE[1], PRIVATE[2]]);
    apart::resolve(Arc::new(move |name, kind| zone(&asked, name, kind)));
    let places = Places::new();
    // Who looks first and asks again to connect is led astray.
    let name = ("flip-bare.example.test", places.port);
    let looked: Vec<_> = name.to_socket_addrs().unwrap().collect();
    assert_eq!(
        looked,
        [SocketAddr::new(PUBLIC.parse().unwrap(), places.port)]
    );
    let mut stream = TcpStream::connect(name).unwrap();
    assert!(stream.peer_addr().unwrap().ip().is_loopback());
    stream.write_all(b"hello\n").unwrap();
    stream.read_exact(&mut [0; 11]).unwrap();
    assert_eq!((places.public(), places.private()), (0, 1));
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        by_tunnel(env, &places);
        by_redirect(env, &places);
        assert_eq!(places.private(), 1, "{env:?}");
    }
}

fn by_tunnel(env: Env, places: &Places) {
    let scene = Scene::new(env);
    tunnels::build(&scene, tunnels::CLIENT);
    let host = |case: &str| format!("{case}-{env:?}.example.test:{}", places.port).to_lowercase();
    let (flip, both, disguised, straight) = (
        host("flip"),
        host("both"),
        host("disguised"),
        host("straight"),
    );
    let hosts = [&flip, &both, &disguised, &straight];
    let mut options = vec!["--profile=dev"];
    for host in hosts {
        options.extend(["--allow-host", host.as_str()]);
    }
    let words = ["./client", &flip, &flip, &both, &disguised, &straight];
    let before = places.public();
    let ended = scene.site.run(&options, &words).expect(0);
    assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
    let refused = "HTTP/1.1 403 refused by gosandbox: network.allow it leads to";
    let ended = ended
        .says(&format!("{flip} HTTP/1.1 200"))
        .says(&format!("{flip} echo hello"))
        .says(&format!("{flip} {refused} 127.0.0.1"))
        .says(&format!("{both} HTTP/1.1 502"))
        .says(&format!("{disguised} {refused}"))
        .says(&format!("{straight} {refused}"));
    let good = ended.stdout.matches(" 200 ").count();
    assert_eq!(
        (good, places.public() - before),
        (1, 1),
        "{env:?}: {ended:?}"
    );
}

fn by_redirect(env: Env, places: &Places) {
    let port = places.port;
    let upstream = Proxy::http(move |asked| {
        // The module's last element is the host that the upstream sends to.
        let host = asked.path.split('/').nth(2).unwrap();
        let to = format!("Location: https://{host}.example.test:{port}/x\r\n");
        Answer::Headers(302, to)
    });
    let scene = Scene::new(env);
    let text = format!(
        "extends = \"strict\"\n\n[modules]\nupstreams = \"{}\"\nprivate = [\"example.test/*\"]\n",
        upstream.address
    );
    write(&scene.profile, &text);
    scene.settle();
    let ask = |case: &str| {
        let module = format!("example.test/{case}-{env:?}-redirect@v1.0.0").to_lowercase();
        scene.run(&[], &["go", "list", "-m", &module]).expect(1)
    };
    let refused = "is an address of this machine or of a private network";
    let before = places.public();
    ask("flip").says("502");
    assert!(places.public() > before, "{env:?}");
    // Another run, which remembers nothing.
    ask("flip").says("127.0.0.1").says(refused);
    ask("both").says("502");
    ask("disguised").says(refused);
    ask("straight").says(refused);
}
