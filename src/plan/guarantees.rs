//! Which layer holds which guarantee in a plan, and what is missing where none does.

use std::collections::BTreeMap;

use super::Holding;
use crate::host::Host;
use crate::policy::{Guarantee, Layer};

/// For every guarantee, the layers that hold it on this host.
///
/// A layer is named here only where the launcher does not start the command without it.
///
/// `wraps`: whether programs run beside the go command, as `go test` and `go run` have it.
pub fn holdings(host: &Host, wraps: bool) -> BTreeMap<Guarantee, Holding> {
    Guarantee::ALL
        .into_iter()
        .map(|guarantee| (guarantee, holding(guarantee, host, wraps)))
        .collect()
}

fn holding(guarantee: Guarantee, host: &Host, wraps: bool) -> Holding {
    let view = host.namespaces.is_ok();
    let scoped = host.has_scopes();
    let notified = host.notification.is_ok();
    match guarantee {
        Guarantee::CachesUnpoisonable if wraps && host.landlock.is_err() => missing(
            "a program can write what go is building beside it in $WORK and then puts into the caches: only Landlock \
             keeps programs to their own part of it",
        ),
        Guarantee::GorootUnwritable
        | Guarantee::SecretsUnreadable
        | Guarantee::CachesUnpoisonable => files(host),
        Guarantee::ProtectedPaths if view => Holding::Held(vec![Layer::MountView]),
        Guarantee::ProtectedPaths => files(host),
        Guarantee::NetworkContained if view => Holding::Held(vec![Layer::Namespaces]),
        // By notified calls, or by having no sockets at all, but for pairs of unix sockets.
        Guarantee::NetworkContained if notified => Holding::Held(vec![Layer::Seccomp]),
        Guarantee::NetworkContained if scoped => {
            Holding::Held(vec![Layer::Seccomp, Layer::Landlock])
        }
        Guarantee::NetworkContained => missing(
            "abstract unix sockets of the host are in reach: there is no net namespace, no supervisor of notified \
             calls, and Landlock has no scope for them before ABI 6 (Linux 6.12)",
        ),
        Guarantee::ProcessesUntouchable if view => Holding::Held(vec![Layer::Namespaces]),
        Guarantee::ProcessesUntouchable if scoped => {
            Holding::Held(vec![Layer::Landlock, Layer::Seccomp])
        }
        // Signals by notified calls; memory and the like by any Landlock domain.
        Guarantee::ProcessesUntouchable if notified && host.landlock.is_ok() => {
            Holding::Held(vec![Layer::Seccomp, Layer::Landlock])
        }
        Guarantee::ProcessesUntouchable => missing(
            "signals reach other processes of the same user: there is no pid namespace, no supervisor of notified \
             calls together with Landlock, and Landlock has no scope for signals before ABI 6 (Linux 6.12)",
        ),
        Guarantee::NoPrivilege => {
            Holding::Held(vec![Layer::Capabilities, Layer::NoNewPrivs, Layer::Seccomp])
        }
        Guarantee::SmallKernelSurface => Holding::Held(vec![Layer::Seccomp]),
    }
}

/// What nothing confines on this host, although no guarantee is lost by it.
pub fn gaps(host: &Host) -> Vec<&'static str> {
    if host.namespaces.is_ok() {
        return Vec::new();
    }
    let notified = host.notification.is_ok();
    let gaps = [
        (
            !notified,
            "modes, owners and times of files of the sandbox user's own, wherever they lie (chmod, chown, utimensat)",
        ),
        (
            true,
            "what /proc shows to everybody: names, command lines, sockets and interfaces of the host",
        ),
        (
            notified,
            "the host's users can reach what tests serve on the loopback",
        ),
        (
            !notified,
            "no modules can be fetched: they come from the caches alone",
        ),
        (
            !notified,
            "there are no internet and no unix sockets inside but for pairs: tests that need them fail",
        ),
    ];
    let there = gaps.into_iter().filter(|(there, _)| *there);
    there.map(|(_, gap)| gap).collect()
}

fn files(host: &Host) -> Holding {
    let layers = [
        (host.namespaces.is_ok(), Layer::MountView),
        (host.landlock.is_ok(), Layer::Landlock),
    ];
    let layers: Vec<Layer> = layers
        .iter()
        .filter(|(has, _)| *has)
        .map(|(_, layer)| *layer)
        .collect();
    match (layers.is_empty(), &host.landlock) {
        (true, Err(reason)) => missing(&format!(
            "there is neither a mount namespace nor Landlock: {reason}"
        )),
        _ => Holding::Held(layers),
    }
}

fn missing(reason: &str) -> Holding {
    Holding::Missing {
        reason: reason.to_owned(),
        remedy: "allow user namespaces (gosandbox doctor says how), or use a newer kernel".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(namespaces: bool, notified: bool, landlock: Option<i32>) -> Host {
        let or = |has: bool| if has { Ok(()) } else { Err("none".to_owned()) };
        Host {
            uid: 1000,
            gid: 1000,
            landlock: landlock.ok_or_else(|| "none".to_owned()),
            namespaces: or(namespaces),
            notification: or(notified),
            staging: Ok(()),
            can_switch: false,
        }
    }

    fn missing(host: &Host) -> Vec<Guarantee> {
        let is_missing = |holding: &Holding| matches!(holding, Holding::Missing { .. });
        holdings(host, true)
            .into_iter()
            .filter(|(_, holding)| is_missing(holding))
            .map(|(guarantee, _)| guarantee)
            .collect()
    }

    #[test]
    fn every_guarantee_holds_with_namespaces_or_with_a_landlock_that_has_scopes() {
        assert_eq!(missing(&host(true, false, Some(7))), []);
        assert_eq!(
            missing(&host(true, false, None)),
            [Guarantee::CachesUnpoisonable]
        );
        assert_eq!(missing(&host(false, false, Some(6))), []);
    }

    #[test]
    fn what_is_not_confined_is_said_where_there_are_no_namespaces() {
        assert!(gaps(&host(true, false, Some(7))).is_empty());
        assert_eq!(gaps(&host(false, true, Some(7))).len(), 2);
        assert_eq!(gaps(&host(false, false, Some(7))).len(), 4);
    }

    #[test]
    fn notified_calls_stand_in_for_scopes() {
        assert_eq!(missing(&host(false, true, Some(4))), []);
        assert_eq!(missing(&host(false, true, Some(1))), []);
        let gone = missing(&host(false, true, None));
        assert!(gone.contains(&Guarantee::ProcessesUntouchable), "{gone:?}");
        assert!(gone.contains(&Guarantee::SecretsUnreadable), "{gone:?}");
    }

    #[test]
    fn what_old_kernels_without_namespaces_cannot_hold_is_said() {
        let expected = [Guarantee::NetworkContained, Guarantee::ProcessesUntouchable];
        assert_eq!(missing(&host(false, false, Some(4))), expected);
        assert!(missing(&host(false, false, None)).contains(&Guarantee::SecretsUnreadable));
    }
}
