//! What programs that the wrapper starts have in their environment and their HOME, apart from the command's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::plan::compiler::take_back;
use crate::go::environment::{Environment, SETTINGS, TO_HOSTS, for_programs};
use crate::plan::inputs::Wraps;
use crate::plan::own::OwnFiles;
use crate::plan::{self, Setting};
use crate::policy::Cage;

/// The settings in HOME, also in that of programs which the command starts by the wrapper.
pub(super) fn settings(own: &OwnFiles, cage: Cage, wraps: Option<Wraps>) -> Vec<Setting> {
    let cages = std::iter::once(cage).chain(wraps.map(|_| Cage::Program));
    let of_cage = |cage| {
        // In a view HOME of programs has a link to the folder of settings.
        let shown = (cage == Cage::Program && own.wrapper.is_some())
            .then_some(crate::policy::places::SETTINGS);
        let home = own.of_cage(cage).0;
        SETTINGS.map(|(path, content)| Setting {
            path: match (shown, path.strip_prefix(".config/go/")) {
                (Some(folder), Some(below)) => Path::new(folder).join(below),
                _ => home.join(path),
            },
            content: content.into(),
        })
    };
    cages.flat_map(of_cage).collect()
}

/// The variable by which Go and OpenSSL find certificates.
const CERTIFICATES: &str = "SSL_CERT_FILE";

/// Shows a command that is a program itself where certificates are, unless the policy says so.
pub(super) fn set_certificates(environment: &mut Environment, path: &Path) {
    let pairs = &mut environment.pairs;
    if pairs.iter().all(|(name, _)| name != CERTIFICATES) {
        pairs.push((CERTIFICATES.into(), path.into()));
        pairs.sort();
    }
}

/// How the environment of programs differs from the command's: what is set, what is unset. `compiler`: the folder in
/// which the command finds who stands in for a C compiler.
pub(super) fn environment(
    environment: &Environment,
    cache: &Path,
    own: &OwnFiles,
    compiler: Option<&Path>,
    hosts: Option<&str>,
    certificates: Option<&Path>,
) -> (BTreeMap<String, String>, Vec<String>) {
    let (home, tmp) = own.of_cage(Cage::Program);
    let programs = for_programs(environment, cache, &home, &tmp);
    let mut kept: BTreeMap<_, _> = programs.pairs.iter().cloned().collect();
    kept.retain(|_, value| !plan::way::is_secret(value));
    if let Some(folder) = compiler {
        take_back(&mut kept, folder);
    }
    if let Some(hosts) = hosts {
        kept.extend(TO_HOSTS.map(|name| (name.into(), hosts.into())));
    }
    if let Some(certificates) = certificates {
        let certificates = certificates.as_os_str().to_owned();
        kept.entry(CERTIFICATES.into()).or_insert(certificates);
    }
    let had: BTreeMap<_, _> = environment.pairs.iter().cloned().collect();
    let text = |text: &OsString| text.to_string_lossy().into_owned();
    let set = kept
        .iter()
        .filter(|(name, value)| had.get(*name) != Some(*value));
    let mut unset: Vec<String> = had
        .keys()
        .filter(|name| !kept.contains_key(*name))
        .map(text)
        .collect();
    unset.push("GOTMPDIR".into());
    (
        set.map(|(name, value)| (text(name), text(value))).collect(),
        unset,
    )
}
