//! What is granted by name: `--ro` and `--rw`, and the profile's `files.read` and `files.write`.
//!
//! Each path is followed to what is really there, or refused by name. A link counts where only root and the caller could
//! have made it. A link that the source could have made chooses nothing: the caller may grant its target instead.

use crate::policy::places::OWN_FOLDER;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::files::{Follow, Keeper, Step, Stop, look};

use crate::plan::steps;
use crate::policy::{Policy, is_device};
use crate::profile::Overrides;
use crate::refusal::{Code, Help, Refused, shell_path, toml_string};

/// Puts real paths in the place of those that the policy names, and notes the links that lead to them.
///
/// # Errors
/// Paths cannot be granted: all of them are named.
pub(super) fn settle(
    policy: &mut Policy,
    overrides: &Overrides,
    tree: Option<&Path>,
) -> anyhow::Result<()> {
    let mut links = Vec::new();
    let mut wrong = Vec::new();
    let mut written: Vec<PathBuf> = tree.map(Path::to_owned).into_iter().collect();
    written.extend(
        policy
            .files
            .write
            .iter()
            .filter_map(|path| look::canonicalize(path).ok()),
    );
    for (writes, flagged) in [(false, &overrides.read), (true, &overrides.write)] {
        let list = match writes {
            true => &mut policy.files.write,
            false => &mut policy.files.read,
        };
        let mut real = Vec::new();
        for path in std::mem::take(list) {
            let is_flag = flagged.contains(&path);
            let asked = Asked {
                path: &path,
                option: match (is_flag, writes) {
                    (true, true) => "--rw",
                    (true, false) => "--ro",
                    (false, true) => "files.write",
                    (false, false) => "files.read",
                },
                writes,
                is_flag,
            };
            match asked.real(tree, &written) {
                Ok(Some(found)) => {
                    if found != path {
                        links.extend(links_to(&path));
                    }
                    real.push(found);
                }
                Ok(None) => {}
                Err(refused) => wrong.push(refused),
            }
        }
        real.sort();
        real.dedup();
        *list = real;
    }
    links.sort();
    links.dedup();
    policy.files.links = links;
    match all(wrong) {
        None => Ok(()),
        Some(refused) => Err(refused.into()),
    }
}

/// Makes sure that what a profile grants for writing is there.
///
/// # Errors
/// It is not.
pub(super) fn are_there(policy: &Policy) -> anyhow::Result<()> {
    let missing = |path: &PathBuf| {
        let error = look::metadata(path).err()?;
        let text = format!("{} by files.write: {error}", path.display());
        Some(Refused::new(Code::GrantMissing, text))
    };
    match all(policy.files.write.iter().filter_map(missing).collect()) {
        None => Ok(()),
        Some(refused) => Err(refused.into()),
    }
}

/// All refusals as one. The code is that of the first.
fn all(wrong: Vec<Refused>) -> Option<Refused> {
    let texts: Vec<_> = wrong.iter().map(|one| one.message().to_owned()).collect();
    let helps: Vec<Help> = wrong.iter().flat_map(Refused::help).collect();
    let first = wrong.into_iter().next()?;
    let all = Refused::new(first.code(), format!("cannot grant {}", texts.join("; ")));
    let mut shown: Vec<Help> = Vec::new();
    for help in helps {
        if !shown.contains(&help) {
            shown.push(help);
        }
    }
    Some(shown.into_iter().fold(all, Refused::and))
}

/// The links on the way of a path, each with what it says.
fn links_to(path: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found = steps(path);
    // The last one is what they lead to.
    found.pop();
    let link = |at: PathBuf| {
        let to = look::read_link(&at).ok()?;
        Some((at, to))
    };
    found.into_iter().filter_map(link).collect()
}

/// A path that somebody asks to be granted.
struct Asked<'a> {
    path: &'a Path,
    /// The option or the key.
    option: &'static str,
    writes: bool,
    /// Whether an option has named it.
    is_flag: bool,
}

impl Asked<'_> {
    /// The real path. Nothing where a profile names what is not there, or what is granted anyway.
    fn real(&self, tree: Option<&Path>, written: &[PathBuf]) -> Result<Option<PathBuf>, Refused> {
        let real = match look::canonicalize(self.path) {
            Ok(real) => real,
            Err(_) if !self.writes && !self.is_flag => return Ok(None),
            // What is generated before it is there names it all the same: a run refuses it ([`are_there`]).
            Err(_) if !self.is_flag => return Ok(Some(self.path.to_owned())),
            Err(error) => {
                let text = format!("{}: {error}", self.path.display());
                return Err(Refused::new(Code::GrantMissing, text));
            }
        };
        if real != self.path {
            self.check_links(&real, written)?;
        }
        self.check_place(&real)?;
        match tree {
            Some(tree) if real == tree && self.writes => Err(self
                .refused(
                    &real,
                    "it is the work tree, where the profile and --stage say what may be written",
                )
                .and(self.instead("--stage direct".to_owned()))),
            Some(tree) if !self.writes && real.starts_with(tree) => match self.is_flag {
                true => Err(self.in_tree(&real, tree)),
                false => Ok(None),
            },
            _ => Ok(Some(real)),
        }
    }

    fn refused(&self, real: &Path, why: &str) -> Refused {
        let real = match real == self.path {
            true => String::new(),
            false => format!(" ({})", real.display()),
        };
        let text = format!("{}{real} by {}: {why}", self.path.display(), self.option);
        Refused::new(Code::GrantRefused, text)
    }

    /// Another option in the place of this one. Where a profile names the path its line is to be changed.
    fn instead(&self, options: String) -> Help {
        match self.is_flag {
            true => Help::Instead {
                of: format!("{} {}", self.option, self.path.display()),
                options,
            },
            false => Help::Words(format!(
                "take {} out of {}, or: gosandbox {options}",
                shell_path(self.path),
                self.option
            )),
        }
    }

    fn left_out(&self) -> Help {
        match self.is_flag {
            true => Help::Without(format!("{} {}", self.option, self.path.display())),
            false => Help::Words(format!(
                "take {} out of {}",
                shell_path(self.path),
                self.option
            )),
        }
    }

    /// `--ro` would promise that nothing in it is written.
    fn in_tree(&self, real: &Path, tree: &Path) -> Refused {
        let refused = self.refused(
            real,
            "the work tree can be read anyway, and --ro does not keep commands from writing it",
        );
        match real.strip_prefix(tree) {
            Ok(below) if !below.as_os_str().is_empty() => refused.profile(format!(
                "files.protected = [{}]",
                toml_string(&below.to_string_lossy())
            )),
            _ => refused.and(self.instead("--stage discard".to_owned())),
        }
    }

    /// No link on the way may be one that the source, or another user, has made.
    fn check_links(&self, real: &Path, written: &[PathBuf]) -> Result<(), Refused> {
        let found = steps(self.path);
        if found
            .iter()
            .rev()
            .skip(1)
            .any(|link| link.starts_with("/proc"))
        {
            let why = "a symbolic link on the way means something else in each process";
            return Err(self.refused(real, why).and(self.left_out()));
        }
        let of_source = found.iter().rev().skip(1).find(|link| {
            let mut written = written.iter().filter(|folder| *folder != *link);
            written.any(|folder| link.starts_with(folder))
        });
        let why = match of_source {
            Some(link) => format!(
                "{} is a symbolic link that the source could have made",
                link.display()
            ),
            None if self.is_kept() => return Ok(()),
            None => "a symbolic link on the way could be another user's".to_owned(),
        };
        let option = if self.writes { "--rw" } else { "--ro" };
        let help = match Help::grant(option, real) {
            Help::Option(options) => self.instead(options),
            help => help,
        };
        Err(self.refused(real, &why).and(help))
    }

    /// Whether every link on the way was made by root or the caller.
    fn is_kept(&self) -> bool {
        let walked = || -> std::io::Result<bool> {
            let mut step = Step::start(self.path)?;
            let stop = step.walk(Follow::Kept(Keeper::caller()), None)?;
            Ok(match stop {
                Stop::There => true,
                Stop::Missing => false,
                // Where others decide, what they have put there may be granted. What their links lead to may not.
                Stop::NotKept => step.walk(Follow::None, None)? == Stop::There,
            })
        };
        walked().unwrap_or(false)
    }

    /// Some places inside are the run's own, whatever the host has there.
    fn check_place(&self, real: &Path) -> Result<(), Refused> {
        let why = if real == Path::new("/") {
            Some("it would grant the whole file system: name the folders")
        } else if Path::new(OWN_FOLDER).starts_with(real) || real.starts_with(OWN_FOLDER) {
            Some("the run keeps its own files there: name what you need of it")
        } else if ["/dev", "/dev/pts", "/dev/shm"]
            .iter()
            .any(|own| real == Path::new(own))
        {
            Some("the run has its own: name the device or file")
        } else if real.starts_with("/dev/pts") {
            Some("the run has terminals of its own")
        } else if real.starts_with("/proc") && (self.writes || is_of_process(real)) {
            Some("the run has its own /proc, without the host's processes")
        } else if is_device(real) && !is_character_device(real) {
            Some("only character devices can be granted in /dev")
        } else {
            None
        };
        match why {
            None => Ok(()),
            Some(why) => Err(self.refused(real, why).and(self.left_out())),
        }
    }
}

fn is_of_process(path: &Path) -> bool {
    let first = path.components().nth(2);
    first.is_some_and(|first| {
        let name = first.as_os_str().as_encoded_bytes();
        name.iter().all(u8::is_ascii_digit)
    })
}

fn is_character_device(path: &Path) -> bool {
    look::metadata(path).is_ok_and(|found| found.file_type().is_char_device() && found.rdev() != 0)
}
