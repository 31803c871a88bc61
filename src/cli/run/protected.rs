//! Protected paths before and after a run: one that was not there and has appeared is put away.
//!
//! Those that are there are read-only mounts, or not granted. Those that are not cannot be mounted
//! over without being made; nothing is made for their sake.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::plan::{OnDisk, Plan, Planted};

/// The protected paths, as they were before the run.
pub(super) struct Guard {
    watched: Vec<(PathBuf, Option<OnDisk>)>,
    planted: Option<Planted>,
}

impl Guard {
    /// Looks at them.
    pub fn before(plan: &Plan) -> anyhow::Result<Guard> {
        let watched = plan
            .watched
            .iter()
            .map(|path| (path.clone(), OnDisk::at(path)))
            .collect();
        Ok(Guard {
            watched,
            planted: plan.planted.clone(),
        })
    }

    /// Moves what has appeared or was exchanged into quarantine, but for what `goes`: the launcher's own.
    ///
    /// # Errors
    /// Where there was anything, with the place that it was moved to.
    pub fn after(self, goes: impl Fn(&Path) -> bool) -> anyhow::Result<()> {
        let mut moved = Vec::new();
        let changed = |(path, before): (PathBuf, Option<OnDisk>)| {
            let now = OnDisk::at(&path);
            (now.is_some() && now != before).then_some(path)
        };
        let watched = self.watched.into_iter();
        let mut appeared: Vec<PathBuf> = watched.filter_map(changed).collect();
        appeared.extend(self.planted.iter().flat_map(Planted::found));
        appeared.retain(|path| !goes(path));
        appeared.sort();
        appeared.dedup();
        for path in appeared {
            let place = quarantine(&path)?;
            self.planted
                .iter()
                .try_for_each(|planted| disarm(planted, &place))?;
            moved.push(format!("{} (now {})", path.display(), place.display()));
        }
        if !moved.is_empty() {
            bail!(
                "protected paths came or were replaced during the run, and were moved away: {}; look at them, and \
                 move those back that are yours",
                moved.join(", ")
            );
        }
        Ok(())
    }
}

/// A repository is one under any name: what makes it one goes too.
fn disarm(planted: &Planted, place: &Path) -> anyhow::Result<()> {
    for path in planted.within(place.to_owned()) {
        disarm(planted, &quarantine(&path)?)?;
    }
    Ok(())
}

/// Renames within the same folder, so that it cannot fail half-way, to a name that nothing looks for.
fn quarantine(path: &Path) -> anyhow::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let place = (0..1000)
        .map(|n| {
            path.with_file_name(format!(
                "gosandbox-quarantine-{}-{n}",
                name.trim_start_matches('.')
            ))
        })
        .find(|place| fs::symlink_metadata(place).is_err())
        .with_context(|| format!("cannot find a free name beside {}", path.display()))?;
    fs::rename(path, &place).with_context(|| {
        format!(
            "cannot move {}, which the run made, out of the way; remove it",
            path.display()
        )
    })?;
    Ok(place)
}
