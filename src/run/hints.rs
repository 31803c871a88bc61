//! What is said about the way out when a command failed for want of one, or with -v.

use super::plan::Prepared;
use super::{Project, way};
use crate::go::missing;
use crate::go::toolchain::Toolchain;
use crate::host::Host;
use crate::launch::Outcome;
use crate::plan::{Plan, Way};
use crate::policy::Reach;

/// With -v, before the command starts: that the caller's own GOPROXY is left aside.
pub(super) fn before(project: &Project<'_>, toolchain: &Toolchain) {
    if let Some(text) = other_proxy(project, toolchain) {
        project.session.console.note(&text);
    }
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
    let console = project.session.console;
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
    fn credentials_of_a_proxy_are_not_shown() {
        let shown = without_credentials("https://me:p@ss@goproxy.example/a/");
        assert_eq!(shown, "https://goproxy.example/a");
        assert_eq!(without_credentials("direct"), "direct");
    }
}
