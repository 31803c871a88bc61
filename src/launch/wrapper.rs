//! The `-exec` wrapper: confines itself to the program cage and executes the program in place.
//!
//! go starts it in the package's folder, with the tool cage's environment. The program keeps the
//! wrapper's pid, so that go's time-outs and signals reach it.

use crate::policy::places::{OWN_FOLDER, PROGRAM_PLAN};
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::door::Visit;
use super::names;
use crate::enforce::{self, Context as _, nested};

use crate::plan::tree::rules_for;
use crate::plan::{PLAN_VARIABLE, ProgramPlan, Rule, Ruleset};
use crate::policy::{Access, Layer, TreeAccess};
use crate::sys;

/// A program that was not started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The wrapper was called by hand, or by something else than the go command it was made for.
    #[error("cannot act as -exec wrapper: {0}")]
    Usage(&'static str),
    /// The plan cannot be read.
    #[error("cannot read the plan {}", path.display())]
    Plan {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that the program is to write could not be made for it.
    #[error("cannot prepare {} for the program", path.display())]
    Prepare {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A string for the program has a NUL byte.
    #[error("cannot pass {what} to the program: {source}")]
    String {
        /// The path, the argument or the variable.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A layer could not be put in force.
    #[error(transparent)]
    Layer(#[from] enforce::Error),
    /// execve(2) failed.
    #[error("cannot execute {}", path.display())]
    Execute {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Confines this process and executes `words[1..]`; `words[0]` is the digest. Returns only on failure.
pub fn run(words: &[OsString]) -> Error {
    match confine(words) {
        Ok((path, argv, envp)) => {
            let source = match sys::c_string(path.as_os_str().as_bytes()) {
                Ok(file) => sys::execve(&file, &argv, &envp),
                Err(error) => error,
            };
            Error::Execute { path, source }
        }
        Err(error) => error,
    }
}

type Execution = (PathBuf, Vec<CString>, Vec<CString>);

fn confine(words: &[OsString]) -> Result<Execution, Error> {
    let [digest, program, arguments @ ..] = words else {
        return Err(Error::Usage("it takes a digest and a program"));
    };
    let plan = read_plan()?;
    if digest.to_str() != Some(plan.digest.as_str()) {
        return Err(Error::Usage("the digest is not that of this run's plan"));
    }
    let path = std::path::absolute(program).map_err(|source| Error::Prepare {
        path: program.into(),
        source,
    })?;
    let folder = std::env::current_dir().map_err(|source| Error::Prepare {
        path: ".".into(),
        source,
    })?;
    let test = Test::recognise(&path, arguments);
    let mut extra = vec![Rule::new(&path, Access::Execute)];
    let mut writable = plan.writable_mounts.clone();
    let mut argv = vec![c(program, program)?];
    for argument in arguments {
        argv.push(c(argument, argument)?);
    }
    if let Some(test) = &test {
        extra.push(Rule::new(&test.work, Access::WriteExecute));
        extra.extend(test.coverage_of_others());
        if test.logs {
            let mut log = OsString::from("-test.testlogfile=");
            log.push(test.work.join("testlog.txt"));
            argv.push(c(&log, &log)?);
        }
    }
    // Of a staged work tree all may be written.
    if let (Some(test), None) = (&test, &plan.root) {
        let mut tree_rules = test.tree_rules(&plan, &folder)?;
        let apart = |rule: &Rule| is_mount_point(&rule.path);
        if !tree_rules.iter().all(apart) || plan.tree_access == TreeAccess::Write {
            // Files that flags name, and a corpus that was not there before: within the tree's mount.
            writable.push(plan.tree.clone());
        }
        writable.extend(tree_rules.iter().map(|rule| rule.path.clone()));
        extra.append(&mut tree_rules);
    } else if plan.tree_access == TreeAccess::Write {
        writable.push(plan.tree.clone());
    }
    let ruleset = plan.landlock.clone().map(|mut ruleset| {
        ruleset.rules.append(&mut extra);
        ruleset
    });
    let environment = environment(&plan)?;
    writable.retain(|mount| !mount.as_os_str().is_empty() && is_mount_point(mount));
    restrict(&plan, ruleset.as_ref(), &writable, &folder)?;
    Ok((path, argv, environment))
}

/// Confines this process. Where the program may reach hosts or services, or publishes ports, the sockets
/// for that are handed out on the way. Those for names are init's; without a net namespace of its own, who decides its connects shows it another.
fn restrict(
    plan: &ProgramPlan,
    ruleset: Option<&Ruleset>,
    writable: &[PathBuf],
    folder: &Path,
) -> Result<(), Error> {
    let action =
        || "hand the program's sockets for hosts, services and ports to the launcher".to_owned();
    let names = plan.nest.then(names::ToInit::new);
    let visit = (plan.nest && (!plan.hosts.is_empty() || !plan.ports.is_none())).then(Visit::new);
    let visit = visit.transpose().during(Layer::Namespaces, action)?;
    let hand_out = || {
        // A program that hears no answer loses nothing else.
        let _no_name_is_answered = names.map(|names| names?.hand_out());
        visit
            .map_or(Ok(()), |visit| {
                visit.hand_out(!plan.hosts.is_empty(), &plan.ports)
            })
            .during(Layer::Namespaces, action)
    };
    Ok(nested::restrict(plan, ruleset, writable, folder, hand_out)?)
}

fn read_plan() -> Result<ProgramPlan, Error> {
    let path = std::env::var_os(PLAN_VARIABLE)
        .map_or_else(|| Path::new(OWN_FOLDER).join(PROGRAM_PLAN), PathBuf::from);
    fs::read(&path)
        .and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
        .map_err(|source| Error::Plan { path, source })
}

/// Whether a path is the root of a mount, on which attributes can be changed.
fn is_mount_point(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// A test binary that go has just built, in its `$WORK`.
struct Test {
    /// Its own part of `$WORK`.
    work: PathBuf,
    /// Whether go would ask for a log of what the test reads, were it not for `-exec`.
    logs: bool,
    /// Files that flags of the test binary name.
    outputs: Vec<PathBuf>,
    /// Whether it fuzzes, and writes `testdata/fuzz`.
    fuzzes: bool,
}

impl Test {
    /// `…/go-build*/b*/*.test` is one. go leaves `-test.testlogfile` out when `-exec` is set, and
    /// then does not cache the result; the wrapper puts it back where go would have.
    fn recognise(path: &Path, arguments: &[OsString]) -> Option<Test> {
        let work = path.parent()?;
        let build = work.parent()?.file_name()?.to_str()?;
        let is_test = path.extension()? == "test"
            && build.starts_with("go-build")
            && work.file_name()?.to_str()?.starts_with('b');
        if !is_test {
            return None;
        }
        let value = |name: &str| {
            arguments
                .iter()
                .find_map(|argument| argument.to_str()?.strip_prefix(name)?.strip_prefix('='))
        };
        let named = [
            "-test.blockprofile",
            "-test.coverprofile",
            "-test.cpuprofile",
            "-test.gocoverdir",
            "-test.memprofile",
            "-test.mutexprofile",
            "-test.trace",
        ];
        let folder = value("-test.outputdir")
            .map(PathBuf::from)
            .unwrap_or_default();
        let outputs = named
            .iter()
            .filter_map(|name| value(name))
            .map(|path| folder.join(path))
            .collect();
        Some(Test {
            work: work.to_owned(),
            logs: arguments
                .iter()
                .any(|argument| argument == "-test.paniconexit0")
                && value("-test.testlogfile").is_none(),
            outputs,
            fuzzes: value("-test.fuzz").is_some(),
        })
    }

    /// What this test reads of other packages' parts of `$WORK`: with `-coverpkg` go describes packages that
    /// have no tests in a file each, and names these in the test's folder of counters.
    fn coverage_of_others(&self) -> Vec<Rule> {
        #[derive(serde::Deserialize)]
        struct Named {
            #[serde(rename = "MetaFileFragments")]
            files: Option<Vec<PathBuf>>,
        }
        let named = fs::read(self.work.join("gocoverdir/metafiles.txt"))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Named>(&bytes).ok())
            .and_then(|named| named.files);
        let is_one = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_bytes();
            let work = path.parent().and_then(Path::parent);
            name.starts_with(b"covmeta.") && work == self.work.parent()
        };
        named
            .unwrap_or_default()
            .into_iter()
            .filter(is_one)
            .map(|path| Rule::new(path, Access::Read))
            .collect()
    }

    /// What of the work tree this test may write: `testdata` of its own package, and files that
    /// flags name, which the wrapper makes for it.
    fn tree_rules(&self, plan: &ProgramPlan, folder: &Path) -> Result<Vec<Rule>, Error> {
        let mut rules = Vec::new();
        for path in &self.outputs {
            if path.is_absolute() && path.starts_with(&plan.tree) {
                make_file(path)?;
                rules.push(Rule::new(path, Access::Write));
            }
        }
        let in_tree = folder.starts_with(&plan.tree) && !plan.tree.as_os_str().is_empty();
        if plan.tree_access != TreeAccess::Testdata || !in_tree {
            return Ok(rules);
        }
        let testdata = folder.join("testdata");
        if self.fuzzes && !testdata.exists() {
            fs::create_dir(&testdata).map_err(|source| Error::Prepare {
                path: testdata.clone(),
                source,
            })?;
        }
        // A link such as `testdata -> ..` widens nothing; the rule's own open refuses links again.
        if fs::symlink_metadata(&testdata).is_ok_and(|found| found.is_dir()) {
            rules.extend(rules_for(&testdata, &plan.protected));
        }
        Ok(rules)
    }
}

fn make_file(path: &Path) -> Result<(), Error> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map(drop)
        .map_err(|source| Error::Prepare {
            path: path.to_owned(),
            source,
        })
}

/// The program's environment: the tool cage's, with what the plan sets and unsets.
fn environment(plan: &ProgramPlan) -> Result<Vec<CString>, Error> {
    let mut pairs: Vec<(OsString, OsString)> = std::env::vars_os()
        .filter(|(name, _)| name != PLAN_VARIABLE)
        .filter(|(name, _)| {
            name.to_str()
                .is_none_or(|name| !plan.set.contains_key(name))
        })
        .filter(|(name, _)| plan.unset.iter().all(|unset| name != unset.as_str()))
        .collect();
    pairs.extend(
        plan.set
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    let entry = |(name, value): (OsString, OsString)| {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        // The value may be a secret.
        c(&variable, &name)
    };
    pairs.into_iter().map(entry).collect()
}

/// For execve. Where there is a NUL byte the error shows `name`.
fn c(string: &OsStr, name: &OsStr) -> Result<CString, Error> {
    sys::c_string(string.as_bytes()).map_err(|source| Error::String {
        what: format!("{name:?}"),
        source,
    })
}
