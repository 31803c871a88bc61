//! The values of options, each read into a type that cannot be wrong.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::ValueExt;

use super::super::flags::Id;
use super::{FailOn, FindingsArgs, FindingsForm, Output, UsageError, Verbosity};
use crate::finding::Severity;
use crate::policy::{Layer, Staging};
use crate::profile::{self, Problem, Selection};

/// What the options say, of every form of the command line.
#[derive(Default)]
pub(super) struct Values {
    pub(super) profile: Selection,
    pub(super) directory: Option<PathBuf>,
    pub(super) overrides: profile::Overrides,
    pub(super) cache_dir: Option<PathBuf>,
    pub(super) goroot: Option<PathBuf>,
    pub(super) dry_run: bool,
    pub(super) report: Option<Output>,
    pub(super) audit_log: Option<PathBuf>,
    pub(super) all: bool,
    pub(super) older: Option<u64>,
    pub(super) project: bool,
    pub(super) json: bool,
    pub(super) findings: FindingsArgs,
    pub(super) fix: bool,
    pub(super) undo: bool,
    pub(super) output: Option<PathBuf>,
    pub(super) complain: bool,
    pub(super) install: bool,
    pub(super) uninstall: bool,
    pub(super) form: Option<String>,
    pub(super) verbosity: Verbosity,
    pub(super) help: bool,
    pub(super) version: bool,
}

impl Values {
    /// Notes an option without a value.
    pub(super) fn switch(&mut self, id: Id) {
        match id {
            Id::BestEffort => self.overrides.best_effort = true,
            Id::DryRun => self.dry_run = true,
            Id::Install => self.install = true,
            Id::Uninstall => self.uninstall = true,
            Id::All => self.all = true,
            Id::Project => self.project = true,
            Id::Json => self.json = true,
            Id::Fix => self.fix = true,
            Id::Undo => self.undo = true,
            Id::Verbose => self.verbosity = Verbosity::Verbose,
            Id::Quiet => self.verbosity = Verbosity::Quiet,
            Id::Help => self.help = true,
            Id::Version => self.version = true,
            _ => {}
        }
    }

    /// How findings are shown.
    pub(super) fn findings_form(&self) -> Result<FindingsForm, UsageError> {
        match self.form.as_deref() {
            None if self.json => Ok(FindingsForm::Json),
            None | Some("human") => Ok(FindingsForm::Human),
            Some("json") => Ok(FindingsForm::Json),
            Some("sarif") => Ok(FindingsForm::Sarif),
            Some(form) => Err(UsageError::Value {
                flag: "--format".to_owned(),
                problem: Problem(format!("`{form}` is not one of human, json, sarif")),
            }),
        }
    }

    /// Reads the value of an option.
    pub(super) fn value(&mut self, id: Id, text: OsString) -> Result<(), Problem> {
        let rules = &mut self.overrides;
        match id {
            Id::Profile => self.profile = Selection::parse(text.as_ref()),
            Id::Directory => self.directory = Some(text.into()),
            Id::ReadOnly => rules.read.push(text.into()),
            Id::ReadWrite => rules.write.push(text.into()),
            Id::AllowHost => rules.allow_host.push(profile::host(&utf8(text)?)?),
            Id::AllowProgram => rules.allow_program.push(profile::program(&utf8(text)?)?),
            Id::Service => rules.services.push(profile::service(&utf8(text)?)?),
            Id::Publish => rules.publish.push(profile::port(&utf8(text)?)?),
            Id::Env => {
                let text = utf8(text)?;
                match text.split_once('=') {
                    Some((name, value)) => {
                        rules.set.push((profile::variable(name)?, value.to_owned()));
                    }
                    None => rules.pass.push(profile::variable(&text)?),
                }
            }
            Id::User => rules.user = Some(profile::user(&utf8(text)?)?),
            Id::CacheDir => self.cache_dir = Some(text.into()),
            Id::Goroot => self.goroot = Some(text.into()),
            Id::Stage => rules.stage = Some(staging(&utf8(text)?)?),
            Id::Timeout => rules.timeout = Some(profile::duration(&utf8(text)?)?),
            Id::Older => self.older = Some(profile::duration(&utf8(text)?)?),
            Id::Memory => rules.memory = Some(profile::size(&utf8(text)?)?),
            Id::Pids => rules.pids = Some(profile::count(&utf8(text)?)?),
            Id::Require => rules.require.push(layer(&utf8(text)?)?),
            Id::Output => self.output = Some(text.into()),
            Id::FailOn => self.findings.fail_on = fail_on(&utf8(text)?)?,
            Id::Baseline => self.findings.baseline = Some(text.into()),
            Id::WriteBaseline => self.findings.write_baseline = Some(text.into()),
            Id::Mode => self.complain = mode(&utf8(text)?)?,
            Id::Form => self.form = Some(utf8(text)?),
            Id::Report if text == "-" => self.report = Some(Output::Standard),
            Id::Report => self.report = Some(Output::File(text.into())),
            Id::AuditLog => self.audit_log = Some(text.into()),
            _ => {}
        }
        Ok(())
    }
}

fn utf8(text: OsString) -> Result<String, Problem> {
    text.string()
        .map_err(|_| Problem("the value is not UTF-8".to_owned()))
}

/// Whether refusals are only logged.
fn mode(text: &str) -> Result<bool, Problem> {
    match text {
        "enforce" => Ok(false),
        "complain" => Ok(true),
        _ => Err(Problem(format!("`{text}` is neither enforce nor complain"))),
    }
}

fn fail_on(text: &str) -> Result<FailOn, Problem> {
    if text == "never" {
        return Ok(FailOn(None));
    }
    let found = Severity::ALL.into_iter().find(|one| one.word() == text);
    found.map(|one| FailOn(Some(one))).ok_or_else(|| {
        let words = Severity::ALL.map(Severity::word).join(", ");
        Problem(format!("`{text}` is not one of {words}, never"))
    })
}

fn staging(text: &str) -> Result<Staging, Problem> {
    let found = Staging::ALL.into_iter().find(|stage| stage.word() == text);
    found.ok_or_else(|| {
        let words = Staging::ALL.map(Staging::word).join(", ");
        Problem(format!("`{text}` is not one of {words}"))
    })
}

fn layer(text: &str) -> Result<Layer, Problem> {
    Layer::by_need()
        .find(|layer| layer.word() == text)
        .ok_or_else(|| {
            let words: Vec<_> = Layer::by_need().map(|layer| layer.word()).collect();
            Problem(format!("`{text}` is not one of {}", words.join(", ")))
        })
}
