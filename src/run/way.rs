//! The way out of a run: what its command needs, what this host can hold, and what the gateway goes by.

use std::path::PathBuf;
use std::sync::Arc;

use super::caches::{self, Caches};
use super::{Session, token};
use crate::files::look;
use crate::gateway::{self, Caller, Config, SshCaller};
use crate::go::command::GoCommand;
use crate::host::Host;
use crate::launch::gate::Gate;
use crate::paths;
use crate::plan::inputs::Project;
use crate::plan::{Plan, Way};
use crate::policy::{Cage, Modules, Policy, Reach};
use crate::record::Log;

/// What the command reaches; `None` where it needs nothing, or nothing can be had.
pub(super) fn choose(
    policy: &Policy,
    host: &Host,
    go: Option<&GoCommand>,
    cage: Cage,
) -> Option<Way> {
    let names_hosts = !policy.network.allow.is_empty();
    let wanted = match cage {
        Cage::Tool => go
            .filter(|go| go.fetches && (has_upstreams(policy) || names_hosts))
            .map(|_| Way::Modules),
        Cage::Program => {
            (policy.network.programs == Reach::Hosts && names_hosts).then_some(Way::Hosts)
        }
    };
    wanted.filter(|_| can(host).is_ok())
}

/// The hosts that programs of `go test` and `go run` reach. None where a label of AppArmor's or SELinux's
/// keeps the wrapper from the launcher.
pub(super) fn of_programs(policy: &Policy) -> Vec<String> {
    let labelled = !policy.mandatory.labels(Cage::Tool).is_empty();
    match policy.network.programs == Reach::Hosts && !labelled {
        true => policy.network.allow.clone(),
        false => Vec::new(),
    }
}

/// Whether the policy has modules come from anywhere.
pub(super) fn has_upstreams(policy: &Policy) -> bool {
    let modules = &policy.modules;
    modules.upstreams != "off"
        || !modules.private_upstreams.is_empty()
        || !modules.direct.is_empty()
}

/// Whether modules have to come through the gateway, also from a folder that go could read itself: only
/// the gateway decides by path, and writes down what was fetched.
pub(super) fn must_be_the_gateways(session: &Session<'_>, policy: &Policy) -> bool {
    session.request.audit_log.is_some() || policy.modules.decides()
}

/// Whether a way out can be kept from programs on this host; else why not.
pub(super) fn can(host: &Host) -> Result<(), &str> {
    match (&host.namespaces, &host.notification) {
        (Ok(()), _) | (_, Ok(())) => Ok(()),
        (_, Err(reason)) => Err(reason),
    }
}

/// What serves a plan from which anything leads out.
pub(super) fn gate(
    session: &Session<'_>,
    policy: &Policy,
    plan: &Plan,
    modules: Modules,
    audit: Log,
    direct: Option<Arc<dyn gateway::Direct>>,
) -> anyhow::Result<Option<Gate>> {
    if plan.way.is_none() && plan.ports.is_none() {
        return Ok(None);
    }
    let config = match plan.way {
        None => None,
        Some(_) => Some(Config {
            modules,
            audit,
            direct,
            ..config(session, policy, token::choose(session, plan)?)
        }),
    };
    Ok(Some(Gate::new(config, plan)?))
}

/// What a gateway goes by that writes nothing down.
pub(super) fn config(session: &Session<'_>, policy: &Policy, token: String) -> Config {
    Config {
        modules: policy.modules.clone(),
        network: policy.network.clone(),
        token,
        caller: caller(session),
        direct: None,
        ssh: SshCaller {
            home: session.home.clone(),
            agent: session.variable("SSH_AUTH_SOCK").cloned(),
        },
        audit: Log::default(),
        progress: session.console.progress(),
    }
}

/// What the caller's environment says about the way out. It goes no further than the gateway.
fn caller(session: &Session<'_>) -> Caller {
    let text = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| session.variable(name))?;
        found.to_str().map(str::to_owned)
    };
    Caller {
        https_proxy: text(["HTTPS_PROXY", "https_proxy"]),
        http_proxy: text(["HTTP_PROXY", "http_proxy"]),
        no_proxy: text(["NO_PROXY", "no_proxy"]),
        netrc: netrc(session),
    }
}

/// The caller's netrc; it may not exist.
pub(super) fn netrc(session: &Session<'_>) -> Option<PathBuf> {
    let named = session.variable("NETRC").map(PathBuf::from);
    named.or_else(|| Some(session.home.as_ref()?.join(".netrc")))
}

/// The value of GOPROXY where there is no way out: folders only. `off` ends it, since go believes a folder
/// that stands alone about toolchains where GOSUMDB is off, as it believes no other proxy.
pub(super) fn folders(project: &Project) -> String {
    let folders = project.proxy_folders.iter();
    let mut proxies: Vec<String> = folders.map(|path| paths::file_url(path)).collect();
    proxies.push("off".to_owned());
    proxies.join(",")
}

/// The policy's `file://` upstreams.
pub(super) fn upstream_folders(policy: &Policy) -> Vec<PathBuf> {
    let upstreams = policy.modules.upstreams.split([',', '|']);
    upstreams
        .filter_map(|upstream| paths::of_file_url(upstream.trim()))
        .filter_map(|path| look::canonicalize(&path).ok())
        .collect()
}

/// The caller's own module cache, where the sandbox user has another: what is there is served from it.
pub(super) fn own_modules(session: &Session<'_>, caches: &Caches) -> Option<PathBuf> {
    let own = look::canonicalize(&caches::module_cache(session)?).ok()?;
    if own.starts_with(&caches.gomodcache) {
        return None;
    }
    let folder = look::canonicalize(own.join("cache/download")).ok()?;
    // A link in it is not followed to what is none.
    folder.starts_with(&own).then_some(folder)
}
