//! `gosandbox profile FORMAT`: the policy of this project, as what a deployment loads.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};

use super::args::{ProfileArgs, SiteArgs};
use super::terminal::{Terminal, request};
use super::warn;
use crate::files::look;
use crate::files::{Keeper, Place, make_folders};
use crate::generate::{Artifact, BACKENDS, Fit, Mode, Model, Point, backend};
use crate::refusal::{Code, Refused};
use crate::run;
use crate::text::visible;

/// Makes the format's files; what is to be printed, where no `-o` names a place.
pub(super) fn generate(args: &ProfileArgs) -> anyhow::Result<Vec<u8>> {
    let files = files(&args.site, &args.format)?;
    deliver(args, &files)
}

/// The format's files, with a warning for each rule that it does not hold exactly.
pub(super) fn files(args: &SiteArgs, format: &str) -> anyhow::Result<Vec<Artifact>> {
    let Some(backend) = backend(format) else {
        let known: Vec<_> = BACKENDS.iter().map(|one| one.format()).collect();
        let text = format!(
            "cannot make a profile: `{format}` is not one of {}",
            [known.join(", "), "auto".to_owned()].join(", ")
        );
        return Err(Refused::new(Code::FormatUnknown, text).into());
    };
    if let Some(form) = &args.form
        && !backend.forms().contains(&form.as_str())
    {
        let text = format!("cannot make a profile: {format} has no form `{form}`");
        let forms = backend.forms().iter();
        let refused = forms.fold(Refused::new(Code::FormatUnknown, text), |refused, form| {
            refused.option(format!("--form {form}"))
        });
        return Err(refused.without("--form").into());
    }
    let (policy, site) = run::find_site(&request(&args.as_run()), &Terminal(args.verbosity))?;
    let mut model = Model::new(&policy, &site)?;
    if args.complain {
        model.mode = Mode::Complain;
    }
    model.form = args.form.clone();
    let files = backend.render(&model)?;
    for line in losses(format, &model.losses(backend)) {
        warn(args.verbosity, &line);
    }
    Ok(files)
}

/// What a format does not hold exactly: a line a kind, and one that says where the whole of it is.
fn losses(format: &str, losses: &[(Point, Fit)]) -> Vec<String> {
    type Is = fn(&Fit) -> bool;
    let kinds: [(&str, Is); 3] = [
        ("lets more through than the policy", |fit| {
            matches!(fit, Fit::Wider(_))
        }),
        ("refuses more than the policy", |fit| {
            matches!(fit, Fit::Narrower(_))
        }),
        ("leaves to others, to the launcher above all", |fit| {
            matches!(fit, Fit::Missing(_))
        }),
    ];
    let mut lines: Vec<String> = kinds
        .into_iter()
        .filter_map(|(what, is)| {
            let points = losses.iter().filter(|(_, fit)| is(fit));
            let points: Vec<&str> = points.map(|(point, _)| point.word()).collect();
            (!points.is_empty()).then(|| format!("{format} {what}: {}", points.join("; ")))
        })
        .collect();
    if !lines.is_empty() {
        lines.push(format!(
            "the head of each file says how; all formats side by side: {TABLE}"
        ));
    }
    lines
}

/// The page with the table of formats.
const TABLE: &str = "docs/generated/matching.md";

/// To standard output, a file, or a folder.
fn deliver(args: &ProfileArgs, files: &[Artifact]) -> anyhow::Result<Vec<u8>> {
    let format = &args.format;
    match &args.output {
        None => {
            let [first, others @ ..] = files else {
                bail!("cannot make a profile: {format} has no files");
            };
            if !others.is_empty() {
                let names: Vec<_> = others.iter().map(|file| file.name.as_str()).collect();
                warn(
                    args.site.verbosity,
                    &format!(
                        "printed {}; -o DIR writes {} too",
                        first.name,
                        names.join(", ")
                    ),
                );
            }
            Ok(first.content.clone().into_bytes())
        }
        Some(path) if look::is_dir(path) || path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            make_folders(path, Keeper::caller()).with_context(|| {
                format!(
                    "cannot make the folder {}",
                    visible(&path.display().to_string())
                )
            })?;
            for file in files {
                write(&path.join(&file.name), file)?;
            }
            Ok(Vec::new())
        }
        Some(path) => {
            let file = files
                .first()
                .context("cannot make a profile: it has no files")?;
            write(path, file)?;
            Ok(Vec::new())
        }
    }
}

/// Whole or not at all, and as root through no link that another user can change. A device, `/dev/stdout` too, is written as
/// it is.
fn write(path: &Path, file: &Artifact) -> anyhow::Result<()> {
    let mode = if file.executable { 0o755 } else { 0o644 };
    let write = || -> std::io::Result<()> {
        let place = Place::find(path, Keeper::caller(), None)?;
        match place.open_special()? {
            Some(mut special) => special.write_all(file.content.as_bytes()),
            None => place.replace_with(file.content.as_bytes(), mode),
        }
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
