//! What is to be done: the form of the command line, and the options that go with it.

use std::ffi::OsString;

use super::super::flags::{SUBS, Sub, place};
use super::super::usage::UsageError;
use super::{
    AuditArgs, Auto, CacheArgs, ChangesAction, ChangesArgs, Ci, Command, DoctorArgs, FindingsArgs,
    Found, InitArgs, Mending, PolicyListArgs, PolicyShowArgs, ProfileArgs, Request, RunArgs, Shell,
    ShimAction, ShimArgs, SiteArgs, UninstallArgs, Values,
};
use crate::profile::Problem;
use crate::run::cache::Wanted;

/// The exit status of a subcommand that is given an option which does not go with it. A run has
/// 125: the command's own status may be 2.
const MISPLACED: u8 = 2;

impl Found {
    /// The request, if all that was given goes with it.
    pub(super) fn finish(self, command: Option<Vec<OsString>>) -> Result<Request, UsageError> {
        if self.values.version {
            return Ok(Request::Version);
        }
        if self.values.help {
            return Ok(Request::Help(self.sub.map(|sub| sub.name)));
        }
        let Some(sub) = self.sub else {
            self.refuse_misplaced(place::RUN, "a command", super::super::REFUSED)?;
            let command = program(command)?;
            return Ok(Request::Run(run(self.values), command));
        };
        if let Some(command) = command {
            let words = std::iter::once("--".into()).chain(command);
            let words = words.map(|word: OsString| word.to_string_lossy().into_owned());
            return Err(UsageError::Argument {
                sub: sub.name,
                arguments: "no command",
                word: words.collect::<Vec<_>>().join(" "),
            });
        }
        self.subcommand(sub)
    }

    /// Refuses every option that means nothing for this form of the command line.
    fn refuse_misplaced(
        &self,
        form: u32,
        name: &'static str,
        status: u8,
    ) -> Result<(), UsageError> {
        let misplaced = self.flags.iter().filter(|flag| flag.place & form == 0);
        let mut flags: Vec<String> = misplaced.map(|flag| flag.shown()).collect();
        flags.dedup();
        if flags.is_empty() {
            return Ok(());
        }
        let is_install = |flag: &String| ["--install", "--uninstall"].contains(&flag.as_str());
        let help = match self.sub {
            Some(_) if flags.iter().all(is_install) && form == place::PROFILE => {
                format!("gosandbox profile auto {}", flags[0])
            }
            Some(sub) => format!("gosandbox help {}", sub.name),
            None => "gosandbox --help".to_owned(),
        };
        Err(UsageError::misplaced(&flags, name, help, status))
    }

    fn subcommand(self, sub: Sub) -> Result<Request, UsageError> {
        let checked = |form, name| self.refuse_misplaced(form, name, MISPLACED);
        let first = self.arguments.first().map(String::as_str);
        match (sub.name, first) {
            ("changes", _) => self.changes(sub),
            ("cache", _) => self.cache(sub),
            ("profile", Some("auto")) => self.auto(),
            ("profile", Some(_)) => {
                checked(place::PROFILE, "profile FORMAT")?;
                let output = self.values.output.clone();
                let format = self.arguments.into_iter().next().unwrap_or_default();
                let site = site(self.values);
                Ok(Request::Profile(ProfileArgs {
                    format,
                    site,
                    output,
                }))
            }
            ("doctor", _) => {
                checked(place::DOCTOR, "doctor")?;
                let form = self.values.findings_form()?;
                Ok(Request::Doctor(DoctorArgs { form }))
            }
            ("audit", _) => {
                checked(place::AUDIT, "audit")?;
                self.audit()
            }
            ("policy", Some("show")) => {
                checked(place::POLICY_SHOW, "policy show")?;
                Ok(Request::PolicyShow(PolicyShowArgs {
                    profile: self.values.profile,
                    directory: self.values.directory,
                    overrides: self.values.overrides,
                    json: self.values.json,
                }))
            }
            ("policy", Some("list")) => {
                checked(place::POLICY_LIST, "policy list")?;
                let json = self.values.json;
                Ok(Request::PolicyList(PolicyListArgs { json }))
            }
            ("init", _) => {
                checked(place::INIT, "init")?;
                let ci = match first {
                    None => None,
                    Some("github") => Some(Ci::Github),
                    Some("gitlab") => Some(Ci::Gitlab),
                    Some(_) => return Err(no_such(sub, first)),
                };
                let directory = self.values.directory;
                Ok(Request::Init(InitArgs { directory, ci }))
            }
            ("shim", _) => self.shim(sub),
            ("completions" | "man" | "help", _) => {
                checked(0, sub.name)?;
                bare(sub, first)
            }
            _ => Err(no_such(sub, first)),
        }
    }

    fn auto(self) -> Result<Request, UsageError> {
        let (form, name) = match (self.values.install, self.values.uninstall) {
            (true, _) => (place::INSTALL, "profile auto --install"),
            (_, true) => (place::UNINSTALL, "profile auto --uninstall"),
            _ => (place::ADVICE, "profile auto"),
        };
        self.refuse_misplaced(form, name, MISPLACED)?;
        let values = self.values;
        Ok(Request::Auto(match form {
            place::INSTALL => Auto::Install(Box::new(site(values))),
            place::UNINSTALL => Auto::Uninstall(UninstallArgs {
                directory: values.directory,
                verbosity: values.verbosity,
            }),
            _ => Auto::Advise(values.directory),
        }))
    }

    fn audit(self) -> Result<Request, UsageError> {
        let form = self.values.findings_form()?;
        let values = self.values;
        let findings = FindingsArgs {
            form,
            ..values.findings
        };
        let mend = match (values.fix, values.undo) {
            (false, false) => None,
            (true, false) => Some(Mending::Fix),
            (false, true) => Some(Mending::Undo),
            (true, true) => {
                let flags = ["--undo".to_owned()];
                let help = "gosandbox help audit".to_owned();
                return Err(UsageError::misplaced(
                    &flags,
                    "audit --fix",
                    help,
                    MISPLACED,
                ));
            }
        };
        Ok(Request::Audit(AuditArgs {
            directory: values.directory,
            findings,
            mend,
        }))
    }

    fn shim(self, sub: Sub) -> Result<Request, UsageError> {
        let (action, form, name) = match self.arguments.first().map(String::as_str) {
            Some("install") => (ShimAction::Install, place::SHIM_INSTALL, "shim install"),
            Some("remove") => (ShimAction::Remove, 0, "shim remove"),
            first => return Err(no_such(sub, first)),
        };
        self.refuse_misplaced(form, name, MISPLACED)?;
        let Some(folder) = self.arguments.get(1) else {
            return Err(no_such(sub, None));
        };
        Ok(Request::Shim(ShimArgs {
            action,
            folder: folder.into(),
            profile: self.values.profile,
            goroot: self.values.goroot,
        }))
    }

    fn cache(self, sub: Sub) -> Result<Request, UsageError> {
        let (is_clean, form, name) = match self.arguments.first().map(String::as_str) {
            Some("list") => (false, place::CACHE_LIST, "cache list"),
            Some("clean") => (true, place::CACHE_CLEAN, "cache clean"),
            first => return Err(no_such(sub, first)),
        };
        self.refuse_misplaced(form, name, MISPLACED)?;
        let values = self.values;
        let folder = self.arguments.get(1);
        if let Some(word) = folder.filter(|_| !values.project) {
            return Err(UsageError::Argument {
                sub: sub.name,
                arguments: "a folder with `clean --project` only",
                word: word.clone(),
            });
        }
        let narrows = [
            (values.older.is_some(), "--older"),
            (values.project, "--project"),
        ];
        let narrows = narrows.iter().filter(|(is_given, _)| *is_given);
        let narrows: Vec<String> = narrows.map(|(_, flag)| (*flag).to_owned()).collect();
        let other = match (values.all, narrows.len()) {
            (true, 1..) => Some("cache clean --all"),
            (false, 2..) => Some("cache clean --project"),
            _ => None,
        };
        if let Some(place) = other {
            let help = format!("gosandbox help {}", sub.name);
            let flags = match values.all {
                true => narrows,
                false => vec!["--older".to_owned()],
            };
            return Err(UsageError::misplaced(&flags, place, help, MISPLACED));
        }
        let project = values.project.then(|| folder.map_or(".", String::as_str));
        Ok(Request::Cache(CacheArgs {
            clean: is_clean.then(|| Wanted {
                older: values.older,
                project: project.map(Into::into),
                all: values.all,
                dry_run: values.dry_run,
            }),
            cache_dir: values.cache_dir,
            json: match values.form.as_deref() {
                None => values.json,
                Some("json") => true,
                Some("human") => false,
                Some(form) => {
                    return Err(UsageError::Value {
                        flag: "--format".to_owned(),
                        problem: Problem(format!("`{form}` is neither human nor json")),
                    });
                }
            },
        }))
    }

    fn changes(self, sub: Sub) -> Result<Request, UsageError> {
        let run = self.arguments.get(1).cloned();
        let (here, named) = (place::CHANGES_HERE, place::CHANGES_NAMED);
        let is_named = run.is_some();
        let form = if is_named { named } else { here };
        let (action, form, name) = match self.arguments.first().map(String::as_str) {
            None | Some("list") => (ChangesAction::List, place::CHANGES_LIST, "changes list"),
            Some("show") if is_named => (ChangesAction::Show, form, "changes show RUN"),
            Some("show") => (ChangesAction::Show, form, "changes show"),
            Some("apply") if is_named => (ChangesAction::Apply, form, "changes apply RUN"),
            Some("apply") => (ChangesAction::Apply, form, "changes apply"),
            Some("drop") if is_named => (ChangesAction::Drop, form, "changes drop RUN"),
            Some("drop") if self.values.all => (
                ChangesAction::Drop,
                place::CHANGES_ALL,
                "changes drop --all",
            ),
            Some("drop") => (ChangesAction::Drop, form, "changes drop"),
            Some(word) => {
                return Err(UsageError::Argument {
                    sub: sub.name,
                    arguments: "list, show, apply or drop",
                    word: word.to_owned(),
                });
            }
        };
        self.refuse_misplaced(form, name, MISPLACED)?;
        Ok(Request::Changes(ChangesArgs {
            action,
            run,
            directory: self.values.directory,
            all: self.values.all,
            json: self.values.json,
        }))
    }
}

fn program(command: Option<Vec<OsString>>) -> Result<Command, UsageError> {
    let mut words = command.unwrap_or_default().into_iter();
    match words.next().filter(|program| !program.is_empty()) {
        Some(program) => Ok(Command {
            program,
            arguments: words.collect(),
        }),
        None => Err(UsageError::NoCommand),
    }
}

fn run(values: Values) -> RunArgs {
    RunArgs {
        profile: values.profile,
        directory: values.directory,
        overrides: values.overrides,
        cache_dir: values.cache_dir,
        goroot: values.goroot,
        dry_run: values.dry_run,
        report: values.report,
        audit_log: values.audit_log,
        verbosity: values.verbosity,
    }
}

fn site(values: Values) -> SiteArgs {
    SiteArgs {
        profile: values.profile,
        directory: values.directory,
        overrides: values.overrides,
        cache_dir: values.cache_dir,
        goroot: values.goroot,
        verbosity: values.verbosity,
        complain: values.complain,
        form: values.form,
    }
}

/// A subcommand without options.
fn bare(sub: Sub, first: Option<&str>) -> Result<Request, UsageError> {
    match (sub.name, first) {
        ("man", _) => Ok(Request::Man),
        ("completions", Some("bash")) => Ok(Request::Completions(Shell::Bash)),
        ("completions", Some("zsh")) => Ok(Request::Completions(Shell::Zsh)),
        ("completions", Some("fish")) => Ok(Request::Completions(Shell::Fish)),
        ("help", None) => Ok(Request::Help(None)),
        ("help", Some(topic)) if SUBS.iter().any(|one| one.name == topic) => {
            let known = SUBS.iter().map(|one| one.name).find(|name| *name == topic);
            Ok(Request::Help(known))
        }
        _ => Err(no_such(sub, first)),
    }
}

fn no_such(sub: Sub, first: Option<&str>) -> UsageError {
    match first {
        Some(word) => UsageError::Argument {
            sub: sub.name,
            arguments: if sub.name == "help" {
                "a subcommand"
            } else {
                sub.arguments
            },
            word: word.to_owned(),
        },
        None => UsageError::NoArgument {
            sub: sub.name,
            arguments: sub.arguments,
        },
    }
}
