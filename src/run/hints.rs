//! What is said with -v before a command starts, and about the way out when it failed for want of one.

use std::collections::BTreeSet;
use std::ffi::OsString;

use super::plan::Prepared;
use super::{Project, way};
use crate::gateway::Withheld;
use crate::go::missing;
use crate::go::toolchain::Toolchain;
use crate::host::Host;
use crate::host::notification::yama_scope;
use crate::launch::Outcome;
use crate::plan::{Plan, Way};
use crate::policy::Reach;
use crate::refusal::Code;

/// Before the command starts: that a flag in GOFLAGS is left aside, and with -v the caller's own GOPROXY.
pub(super) fn before(project: &Project<'_>, toolchain: &Toolchain, prepared: &Prepared<'_>) {
    if let Some(text) = prepared.flags_left_aside() {
        project.session.console.warn(&text);
    }
    if let Some(text) = other_proxy(project, toolchain) {
        project.session.console.note(&text);
    }
}

/// With -v: by what rules, as whom, with which Go and which caches the command starts, and what it does not get.
pub(super) fn start(project: &Project<'_>, prepared: &Prepared<'_>, plan: &Plan) {
    let Some(toolchain) = prepared.callers() else {
        return;
    };
    let console = project.session.console;
    let (who, inside) = (prepared.who(), &plan.command.environment);
    console.note(&format!(
        "profile {}; as {} (user {}); Go {} in {}",
        project.policy.name,
        who.name,
        who.identity.uid,
        toolchain.version,
        toolchain.goroot.display()
    ));
    let value = |name: &str| {
        let found = inside.iter().find(|(known, _)| known == name);
        found.map_or("none".into(), |(_, value)| value.to_string_lossy())
    };
    let caches = (value("GOCACHE"), value("GOMODCACHE"));
    console.note(&format!("caches: {} and {}", caches.0, caches.1));
    let left = left_aside(&project.session.environment, inside);
    if !left.is_empty() {
        console.note(&format!(
            "of the caller's variables, these have another value inside or none: {}; --env NAME passes one on",
            left.join(", ")
        ));
    }
}

/// The names of variables that steer the go command or a compiler.
fn left_aside(caller: &[(OsString, OsString)], inside: &[(OsString, OsString)]) -> Vec<String> {
    const COMPILERS: [&str; 6] = ["AR", "CC", "CXX", "FC", "GCCGO", "PKG_CONFIG"];
    let steers = |name: &str| {
        name.starts_with("GO") || name.starts_with("CGO_") || COMPILERS.contains(&name)
    };
    let mut left: Vec<String> = caller
        .iter()
        .filter(|(name, value)| {
            !value.is_empty()
                && !inside
                    .iter()
                    .any(|pair| (&pair.0, &pair.1) == (name, value))
        })
        .filter_map(|(name, _)| name.to_str().filter(|name| steers(name)))
        .map(str::to_owned)
        .collect();
    left.sort();
    left
}

/// After a command that failed.
pub(super) fn after(
    project: &Project<'_>,
    toolchain: &Toolchain,
    host: &Host,
    prepared: &Prepared<'_>,
    (plan, outcome): (&Plan, &Outcome),
) {
    if let Some(port) = outcome.listening.first() {
        let ports: Vec<_> = outcome.listening.iter().map(u16::to_string).collect();
        project.session.console.warn(&format!(
            "a program listened on port {}, which the host does not reach; {}--publish {port} shows it",
            ports.join(", "),
            match project.policy.network.programs {
                Reach::Hosts => "",
                _ => "--profile dev with ",
            }
        ));
    }
    if outcome.status == 0 {
        return;
    }
    if let Some(text) = untraced(project, plan) {
        project.session.console.warn(&text);
    }
    let console = project.session.console;
    for text in prepared.foreign_caches() {
        console.warn(&text);
    }
    if let Some(Ok(summary)) = &outcome.gateway
        && let Some(text) = withheld(&summary.withheld)
    {
        console.error(&text);
    }
    for passed in outcome.ports.iter().filter(|passed| passed.failed > 0) {
        let kind = match passed.is_published {
            true => "published port",
            false => "service",
        };
        let reason = passed.reason.as_deref().unwrap_or("unknown");
        console.warn(&format!(
            "{} of {} connections to {kind} {} could not be passed on: {reason}",
            passed.failed,
            passed.failed + passed.connections,
            passed.name
        ));
    }
    if let (Err(reason), true) = (way::can(host), prepared.fetches()) {
        if let Some(module) = missing::first(project.workspace, prepared.module_cache()) {
            console.warn(&format!(
                    "{module} is not in the module cache, and nothing can be fetched here: that takes user namespaces \
                     or notified calls ({reason}); fetch it once with `go mod download` outside, or see gosandbox doctor"
                ));
        }
        return;
    }
    let fetched = match &outcome.gateway {
        Some(Ok(summary)) => summary.fetched > 0,
        _ => false,
    };
    if plan.way == Some(Way::Modules)
        && !fetched
        && missing::first(project.workspace, prepared.module_cache()).is_some()
        && let Some(text) = other_proxy(project, toolchain)
    {
        console.warn(&text);
    }
}

/// What could not be fetched because the caller's environment withholds it, and what a profile says then.
fn withheld(modules: &[Withheld]) -> Option<String> {
    let first = modules.first()?;
    let names: BTreeSet<&str> = modules.iter().map(|one| one.module.as_str()).collect();
    let patterns: BTreeSet<&str> = modules.iter().map(|one| one.pattern.as_str()).collect();
    let lines = patterns.iter().map(|pattern| {
        format!(
            "\"{}\" = {{ direct = \"https\" }}",
            pattern.trim_end_matches('/')
        )
    });
    Some(format!(
        "cannot fetch {}: {} keeps such names from {}, and the profile does not say where these modules are ({})\n\
         help: write into a profile of your own: [modules.private] {}\n\
         help: or name a proxy of your own there: {{ upstream = \"https://goproxy.example.com\" }}",
        names.into_iter().collect::<Vec<_>>().join(", "),
        first.variable,
        first.upstreams,
        Code::ModuleWithheld.word(),
        lines.collect::<Vec<_>>().join(" and ")
    ))
}

/// Where a debugger has failed: what keeps it from tracing.
fn untraced(project: &Project<'_>, plan: &Plan) -> Option<String> {
    const TRACE: [&str; 7] = ["dlv", "gdb", "gdbserver", "lldb", "ltrace", "rr", "strace"];
    let name = plan.command.path.file_name()?.to_str()?;
    if !TRACE.contains(&name) {
        return None;
    }
    if !project.policy.programs.debug {
        return Some(format!(
            "{name} may trace no program (ptrace) in profile {}; --profile dev lets it, or a profile of your own that says: \
             programs.debug = true",
            project.policy.name
        ));
    }
    let scope = yama_scope().filter(|scope| scope != "0" && scope != "1")?;
    Some(format!(
        "{name} may trace no program here: kernel.yama.ptrace_scope is {scope}"
    ))
}

/// Where the caller's Go is set up for another proxy than the policy's. It is not trusted: whoever sets
/// a variable would choose where modules come from.
fn other_proxy(project: &Project<'_>, toolchain: &Toolchain) -> Option<String> {
    let own = || {
        let setting = toolchain
            .settings
            .iter()
            .find(|(name, _)| name == "GOPROXY");
        setting.map(|(_, value)| value.clone())
    };
    let named = project.session.go_variable("GOPROXY");
    let named = named
        .and_then(|value| value.into_string().ok())
        .or_else(own)?;
    let upstreams = &project.policy.modules.upstreams;
    let mut others = named
        .split([',', '|'])
        .map(|proxy| without_credentials(proxy.trim()))
        .filter(|proxy| !matches!(proxy.as_str(), "" | "direct" | "off"))
        .filter(|proxy| {
            !upstreams
                .split([',', '|'])
                .any(|known| known.trim() == proxy)
        });
    let other = others.next()?;
    Some(format!(
        "the caller's GOPROXY ({other}) is not used: profile {} has modules come from {upstreams}; to use that one, \
         name it as upstreams under [modules] in a profile of your own",
        project.policy.name
    ))
}

fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or(host);
    format!("{scheme}://{host}/{path}")
        .trim_end_matches('/')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_steer_go_and_are_not_passed_on_are_named() {
        let pairs = |text: &str| -> Vec<(OsString, OsString)> {
            let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        };
        let caller = pairs("GOFLAGS=-v CC=gcc HOME=/h GOOS=linux GOBIN= CGO_CFLAGS=-O2 TERM=x");
        let inside = pairs("GOFLAGS=-buildvcs=false GOOS=linux HOME=/run TERM=x");
        let left = left_aside(&caller, &inside);
        assert_eq!(left, ["CC", "CGO_CFLAGS", "GOFLAGS"]);
    }

    #[test]
    fn credentials_of_a_proxy_are_not_shown() {
        let shown = without_credentials("https://me:p@ss@goproxy.example/a/");
        assert_eq!(shown, "https://goproxy.example/a");
        assert_eq!(without_credentials("direct"), "direct");
    }
}
