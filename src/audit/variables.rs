//! One table of what is wrong with a variable, wherever it is set.

use super::machine::Report;
use super::start_up::{Origin, Setting};
use super::{Found, masked};
use crate::finding::FindingCode;
use crate::go::{goflags, quoted};
use crate::policy::pattern;

/// Public modules of well-known places: a pattern that matches one takes public code out of verification.
const PUBLIC: [&str; 12] = [
    "github.com/sirupsen/logrus",
    "gitlab.com/gitlab-org/api/client-go",
    "bitbucket.org/creachadair/shell",
    "golang.org/x/text",
    "google.golang.org/protobuf",
    "cloud.google.com/go",
    "go.uber.org/zap",
    "gopkg.in/yaml.v3",
    "k8s.io/api",
    "sigs.k8s.io/yaml",
    "go.opentelemetry.io/otel",
    "codeberg.org/miekg/dns",
];

/// Proxies that serve what the checksum database vouches for.
const PROXIES: [&str; 3] = ["proxy.golang.org", "goproxy.io", "goproxy.cn"];

/// The checksum database, by its two names.
const DATABASES: [&str; 2] = ["sum.golang.org", "sum.golang.google.cn"];

/// Finds what is wrong with the settings.
pub(super) fn judge(settings: &[Setting], report: &Report) {
    for setting in settings {
        let value = setting.value.trim();
        if value.is_empty() {
            continue;
        }
        for (code, message) in wrong(&setting.name, value) {
            report.add(found(setting, code, message));
        }
    }
}

fn found(setting: &Setting, code: FindingCode, message: String) -> Found {
    let message = format!("{} {message}", setting.name);
    let mut found = match &setting.origin {
        Origin::Environment => Found::about(code, "", message),
        Origin::File(path, line) | Origin::Go(path, line) => {
            Found::at(code, path, Some(*line), message)
        }
    };
    found.subject.clone_from(&setting.name);
    found
}

/// What is wrong with the variable of that name, as the end of a sentence that begins with the name.
fn wrong(name: &str, value: &str) -> Vec<(FindingCode, String)> {
    let mut found = Vec::new();
    let mut add = |code, message: String| found.push((code, message));
    match name {
        "GOPROXY" => go_proxy(value, &mut add),
        "GOSUMDB" | "GONOSUMCHECK" => checksums(name, value, &mut add),
        "GONOSUMDB" | "GONOPROXY" | "GOPRIVATE" | "GOINSECURE" => patterns(name, value, &mut add),
        "GOVCS" => vcs(value, &mut add),
        "GOFLAGS" => {
            // The error names flags, and no value.
            if let Err(error) = goflags::filter(value, "test", &[], false, true) {
                let message = format!("is for every go command: {error}");
                add(FindingCode::GoFlagsDangerous, message);
            }
        }
        "GOTOOLCHAIN" if value == "path" || value.ends_with("+path") => {
            let message = format!("is {value}: the first go of that name in PATH is run");
            add(FindingCode::GoToolchainPath, message);
        }
        "GOAUTH" | "GOCACHEPROG" | "GOPACKAGESDRIVER" => runs(name, value, &mut add),
        "CC" | "CXX" | "FC" | "AR" | "PKG_CONFIG" | "GCCGO" => compiler(value, &mut add),
        _ => programs(name, value, &mut add),
    }
    if holds_password(value) && (name.starts_with("GO") || is_proxy(name)) {
        let shown = masked(value);
        let message = format!("is {shown}, with a password that every program can read");
        add(FindingCode::CredentialsInSetting, message);
    }
    found
}

fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "no" | "off")
}

fn checksums(name: &str, value: &str, add: &mut impl FnMut(FindingCode, String)) {
    if name == "GONOSUMCHECK" && !is_on(value) {
        return;
    }
    if name == "GONOSUMCHECK" || value == "off" {
        let message = format!("is {value}: nobody vouches for new modules");
        return add(FindingCode::GoChecksumsOff, message);
    }
    let words: Vec<&str> = value.split_whitespace().collect();
    // A URL after the name of a known one is a mirror: its answers are signed all the same.
    if !words.first().is_some_and(|word| DATABASES.contains(word)) {
        let message = format!("is {}: not Go's own database", masked(value));
        add(FindingCode::GoChecksumsForeign, message);
    }
}

/// Variables that name a program of the go command's.
fn runs(name: &str, value: &str, add: &mut impl FnMut(FindingCode, String)) {
    match name {
        "GOAUTH" => {
            let known = |one: &str| matches!(one, "" | "off" | "netrc") || one.starts_with("git ");
            for one in value.split(';').map(str::trim).filter(|one| !known(one)) {
                let program = one.split_whitespace().next().unwrap_or(one);
                let message = format!("runs {program} for credentials");
                add(FindingCode::GoRunsProgram, message);
            }
        }
        "GOPACKAGESDRIVER" if value == "off" => {}
        "GOPACKAGESDRIVER" => {
            let message = format!("runs {} in the place of go list", first(value));
            add(FindingCode::GoRunsProgram, message);
        }
        _ => add(FindingCode::GoRunsProgram, format!("runs {}", first(value))),
    }
}

/// Variables of other programs.
fn programs(name: &str, value: &str, add: &mut impl FnMut(FindingCode, String)) {
    let unverified = match name {
        "GIT_SSL_NO_VERIFY" if is_on(value) => Some("git takes any certificate"),
        "NODE_TLS_REJECT_UNAUTHORIZED" if value == "0" => Some("node takes any certificate"),
        "PYTHONHTTPSVERIFY" if value == "0" => Some("Python takes any certificate"),
        "PIP_TRUSTED_HOST" => Some("pip takes any certificate of these hosts"),
        _ => None,
    };
    if let Some(what) = unverified {
        return add(FindingCode::TlsUnverified, format!("is {value}: {what}"));
    }
    match name {
        "LD_PRELOAD" | "LD_AUDIT" => {
            let message = format!("loads {value} into every program that is linked dynamically");
            add(FindingCode::LoadedEverywhere, message);
        }
        "BASH_ENV" => {
            let message = format!("has every shell of a script's run {value} first");
            add(FindingCode::LoadedEverywhere, message);
        }
        _ if is_proxy(name) => {
            let shown = masked(value);
            let message = format!("is {shown}: programs send what they fetch through it");
            add(FindingCode::ProxySet, message);
        }
        _ => {}
    }
}

fn is_proxy(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(
        name.as_str(),
        "http_proxy" | "https_proxy" | "all_proxy" | "ftp_proxy" | "socks_proxy" | "cgi_http_proxy"
    )
}

/// Whether a URL in it has user information.
fn holds_password(value: &str) -> bool {
    masked(value) != value
}

fn first(value: &str) -> String {
    let words = quoted::split(value).unwrap_or_default();
    words.into_iter().next().unwrap_or_else(|| value.to_owned())
}

fn go_proxy(value: &str, add: &mut impl FnMut(FindingCode, String)) {
    if value.contains('|') {
        let message = format!(
            "is {}: after `|` the next is asked whatever went wrong, not only where there is nothing",
            masked(value)
        );
        add(FindingCode::GoProxyFallback, message);
    }
    for one in value.split([',', '|']).map(str::trim) {
        if matches!(one, "" | "direct" | "off") || one.starts_with("file://") {
            continue;
        }
        let (scheme, rest) = one.split_once("://").unwrap_or(("https", one));
        let authority = rest.split('/').next().unwrap_or(rest);
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let is_own = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
        if scheme == "http" && !is_own {
            add(
                FindingCode::GoProxyInsecure,
                format!("names {}: anybody on the way can answer", masked(one)),
            );
        } else if !PROXIES.contains(&name) && !is_own {
            add(
                FindingCode::GoProxyUnknown,
                format!(
                    "names {}: it learns what is built, and answers for it",
                    masked(one)
                ),
            );
        }
    }
}

fn patterns(name: &str, value: &str, add: &mut impl FnMut(FindingCode, String)) {
    for one in value
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
    {
        let matched = PUBLIC.iter().find(|module| pattern::matches(one, module));
        if let Some(module) = matched {
            let what = match name {
                "GONOPROXY" => "is fetched from its own host",
                "GOINSECURE" => "may come without TLS, and unverified",
                _ => "is not compared with the checksum database",
            };
            add(
                FindingCode::GoPatternWide,
                format!("has {one}: public code such as {module} {what}"),
            );
        }
    }
    if name == "GOINSECURE" {
        add(
            FindingCode::GoInsecure,
            format!("is {value}: these modules may come without TLS"),
        );
    }
}

fn vcs(value: &str, add: &mut impl FnMut(FindingCode, String)) {
    for one in value.split(',').map(str::trim) {
        let Some((pattern, systems)) = one.split_once(':') else {
            continue;
        };
        let is_wide = matches!(pattern.trim(), "*" | "public" | "all")
            || PUBLIC
                .iter()
                .any(|module| self::pattern::matches(pattern.trim(), module));
        let more = systems
            .split('|')
            .map(str::trim)
            .find(|one| !matches!(*one, "git" | "hg" | "off"));
        if let Some(more) = more.filter(|_| is_wide) {
            add(
                FindingCode::GoVcsWide,
                format!("has {one}: public modules may start {more}"),
            );
        }
    }
}

fn compiler(value: &str, add: &mut impl FnMut(FindingCode, String)) {
    const KNOWN: [&str; 10] = [
        "gcc", "g++", "clang", "clang++", "cc", "c++", "ar", "gfortran", "gccgo", "pkgconf",
    ];
    let program = first(value);
    let name = program.rsplit('/').next().unwrap_or(&program);
    // `x86_64-linux-gnu-gcc-12` is a compiler too.
    let is_known =
        name.ends_with("pkg-config") || name.split('-').any(|part| KNOWN.contains(&part));
    let is_system =
        !program.contains('/') || program.starts_with("/usr/bin/") || program.starts_with("/bin/");
    if !is_known || !is_system {
        add(FindingCode::GoRunsProgram, format!("has cgo run {program}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_variable_is_judged_and_its_harmless_twin_is_not() {
        use FindingCode::*;
        for (name, value, expected) in [
            (
                "GOPROXY",
                "http://proxy.example.com",
                &[GoProxyInsecure][..],
            ),
            (
                "GOPROXY",
                "https://proxy.example.com,direct",
                &[GoProxyUnknown],
            ),
            (
                "GOPROXY",
                "https://proxy.golang.org|direct",
                &[GoProxyFallback],
            ),
            ("GOPROXY", "https://u:p@goproxy.io", &[CredentialsInSetting]),
            ("GOPROXY", "https://proxy.golang.org,direct", &[]),
            ("GOPROXY", "http://localhost:3000,file:///srv/mod,off", &[]),
            ("GOSUMDB", "off", &[GoChecksumsOff]),
            ("GOSUMDB", "sum.example.com+abc+def", &[GoChecksumsForeign]),
            ("GOSUMDB", "sum.golang.org https://mirror.example.com", &[]),
            ("GONOSUMCHECK", "1", &[GoChecksumsOff]),
            ("GONOSUMCHECK", "0", &[]),
            ("GONOSUMDB", "*", &[GoPatternWide]),
            ("GOPRIVATE", "github.com/*", &[GoPatternWide]),
            ("GOPRIVATE", "*.org", &[GoPatternWide]),
            ("GOPRIVATE", "github.com/our-company/*,git.example.com", &[]),
            ("GOINSECURE", "git.example.com", &[GoInsecure]),
            ("GOVCS", "*:all", &[GoVcsWide]),
            ("GOVCS", "public:git|svn", &[GoVcsWide]),
            ("GOVCS", "git.example.com:all,public:git|hg", &[]),
            ("GOFLAGS", "-toolexec=/tmp/x", &[GoFlagsDangerous]),
            ("GOFLAGS", "-trimpath -mod=readonly", &[]),
            ("GOTOOLCHAIN", "go1.26.8+path", &[GoToolchainPath]),
            ("GOTOOLCHAIN", "go1.26.8+auto", &[]),
            ("GOAUTH", "netrc;/tmp/helper x", &[GoRunsProgram]),
            ("GOAUTH", "netrc; git /home/u", &[]),
            ("GOCACHEPROG", "/opt/cache --x", &[GoRunsProgram]),
            ("GOPACKAGESDRIVER", "off", &[]),
            ("GOPACKAGESDRIVER", "/opt/driver", &[GoRunsProgram]),
            ("CC", "/tmp/gcc", &[GoRunsProgram]),
            ("CC", "/usr/bin/x86_64-linux-gnu-gcc-12 -m64", &[]),
            ("PKG_CONFIG", "sh", &[GoRunsProgram]),
            ("CC", "x86_64-linux-gnu-gcc", &[]),
            ("CC", "clang-19", &[]),
            ("GIT_SSL_NO_VERIFY", "true", &[TlsUnverified]),
            ("GIT_SSL_NO_VERIFY", "false", &[]),
            ("NODE_TLS_REJECT_UNAUTHORIZED", "0", &[TlsUnverified]),
            ("LD_PRELOAD", "/tmp/x.so", &[LoadedEverywhere]),
            ("https_proxy", "http://proxy.example.com:3128", &[ProxySet]),
            (
                "HTTP_PROXY",
                "user:pass@proxy.example.com:3128",
                &[ProxySet, CredentialsInSetting],
            ),
            ("no_proxy", "localhost", &[]),
            ("EDITOR", "vi", &[]),
        ] {
            let found: Vec<FindingCode> = wrong(name, value)
                .into_iter()
                .map(|(code, _)| code)
                .collect();
            assert_eq!(found, expected, "{name}={value}");
        }
    }

    #[test]
    fn no_message_holds_a_password() {
        for (name, value) in [
            (
                "GOPROXY",
                "https://me:hunter2@a.example.com|http://me:hunter2@b.example.com",
            ),
            ("https_proxy", "me:hunter2@proxy.example.com"),
            ("GOSUMDB", "x+y+z https://me:hunter2@sum.example.com"),
        ] {
            for (_, message) in wrong(name, value) {
                assert!(!message.contains("hunter2"), "{message}");
            }
        }
    }
}
