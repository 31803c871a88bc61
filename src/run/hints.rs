//! What is said about the way out when a command failed for want of one, or with -v.

use super::plan::Prepared;
use super::{Project, way};
use crate::go::missing;
use crate::go::toolchain::Toolchain;
use crate::host::Host;
use crate::launch::Outcome;
use crate::plan::{Plan, Way};

/// Before the command starts: that a flag in GOFLAGS is left aside, and with -v the caller's own GOPROXY.
pub(super) fn before(project: &Project<'_>, toolchain: &Toolchain, prepared: &Prepared<'_>) {
    if let Some(text) = prepared.flags_left_aside() {
        project.session.console.warn(&text);
    }
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
    if outcome.status == 0 {
        return;
    }
    let console = project.session.console;
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
