//! Requests of the GOPROXY protocol, decided and answered.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::age::{self, Info};
use super::route::{File, Kind, Route, Sumdb};
use super::rules::{Admitted, Refusal};
use super::transfer::{Passed, Transfer};
use super::{Shared, Withheld, direct};
use crate::paths::escape_module;
use crate::record::{By, Detail, Event, EventKind};
use crate::refusal::Code;
use crate::text::clean;
use crate::web::fetch::{self, Failure};

/// No list of versions is longer.
const LONGEST_LIST: u64 = 8 << 20;
/// No answer of a checksum database is longer: a full tile of data is less than 1 MiB.
const LONGEST_SUMDB: u64 = 8 << 20;

/// An answer.
pub(super) enum Reply<'a> {
    Small {
        status: u16,
        reason: String,
        content: &'static str,
        body: Vec<u8>,
    },
    /// A file that is passed on as it comes.
    Stream(Box<Transfer<'a>>),
}

impl Reply<'_> {
    fn ok(content: &'static str, body: Vec<u8>) -> Reply<'static> {
        Reply::Small {
            status: 200,
            reason: "OK".to_owned(),
            content,
            body,
        }
    }

    pub(super) fn status(status: u16, reason: &str) -> Reply<'static> {
        Reply::Small {
            status,
            reason: reason.to_owned(),
            content: "text/plain; charset=utf-8",
            body: Vec::new(),
        }
    }
}

impl From<Failure> for Reply<'_> {
    fn from(failure: Failure) -> Self {
        Reply::Small {
            status: failure.status,
            reason: failure.reason,
            content: "text/plain; charset=utf-8",
            body: failure.detail.unwrap_or_default().into_bytes(),
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Answers a request.
pub(super) fn answer(shared: &Shared, route: Route) -> Reply<'_> {
    match route {
        Route::List(module) => list(shared, &module),
        Route::Latest(module) => latest(shared, &module),
        Route::File(file) => one_file(shared, file),
        Route::Supported(name) => supported(shared, &name),
        Route::Sumdb(request) => sumdb(shared, &request),
    }
}

/// The event of a refusal.
fn refused(refusal: &Refusal) -> Event {
    let mut event = Event {
        reason: refusal.why.clone(),
        ..Event::new(EventKind::ModuleRefused, By::Gateway)
            .code(refusal.code)
            .rule(refusal.rule.as_str())
    };
    event.detail.status = Some(403);
    event
}

/// Writes a refusal down, and makes the answer of it.
fn refuse<'a>(
    shared: &Shared,
    module: &str,
    version: Option<&str>,
    file: Option<&'static str>,
    refusal: &Refusal,
) -> Reply<'a> {
    let words = clean(&refusal.words());
    let at = version.map_or_else(String::new, |version| format!("@{version}"));
    let mut event = refused(refusal).subject(format!("{module}{at}"));
    event.detail.module = Some(module.to_owned());
    event.detail.version = version.map(str::to_owned);
    event.detail.file = file.map(str::to_owned);
    shared.audit.write(event);
    shared.counts.refused(format!("{module}{at}: {words}"));
    Reply::status(403, &words)
}

/// Writes a failure down that is more than that a thing is not there.
fn failed<'a>(shared: &Shared, file: Option<&File>, module: &str, failure: Failure) -> Reply<'a> {
    if !failure.is_missing() {
        let event = Event::new(EventKind::ModuleFailed, By::Gateway);
        let mut event = event.subject(module).reason(failure.reason.as_str());
        event.detail = Detail {
            module: Some(module.to_owned()),
            version: file.map(|file| file.version.clone()),
            file: file.map(|file| file.kind.word().to_owned()),
            upstream: failure.upstream.clone(),
            status: Some(failure.status),
            ..Detail::default()
        };
        shared.audit.write(event);
    }
    failure.into()
}

/// The refusal of a version that is too young.
fn too_young(shared: &Shared, min_age: Duration) -> Refusal {
    let days = min_age.as_secs() / 86400;
    let least = match days {
        0 => format!("{} seconds", min_age.as_secs()),
        days => format!("{days} days"),
    };
    let why = format!(
        "wants versions that are {least} old, and this one is younger, or its age is not known"
    );
    shared
        .rules
        .refusal(Code::ModuleTooYoung, "modules.min-age", None, Some(why))
}

fn list<'a>(shared: &'a Shared, module: &str) -> Reply<'a> {
    let admitted = match shared.rules.admit(module) {
        Ok(admitted) => admitted,
        Err(refusal) => return refuse(shared, module, None, None, &refusal),
    };
    match versions(shared, module, &admitted) {
        Ok(text) => Reply::ok(TEXT, text.into_bytes()),
        Err(failure) => withheld(shared, module, None, &admitted)
            .unwrap_or_else(|| failed(shared, None, module, failure)),
    }
}

/// The answer for a module that may be asked of nobody, where no folder has it.
fn withheld<'a>(
    shared: &Shared,
    module: &str,
    file: Option<&File>,
    admitted: &Admitted<'_>,
) -> Option<Reply<'a>> {
    let (pattern, variable) = admitted.withheld?;
    let why = "withholds it from proxies, and no line of modules.private says where it is";
    let refusal = shared.rules.refusal(
        Code::ModuleWithheld,
        variable,
        Some(pattern),
        Some(why.to_owned()),
    );
    shared.counts.withheld(Withheld {
        module: module.to_owned(),
        pattern: pattern.to_owned(),
        variable: variable.to_owned(),
        upstreams: shared.rules.general().to_owned(),
    });
    let (version, kind) = (
        file.map(|file| file.version.as_str()),
        file.map(|file| file.kind.word()),
    );
    Some(refuse(shared, module, version, kind, &refusal))
}

/// The list of versions, less those that are too young.
fn versions(shared: &Shared, module: &str, admitted: &Admitted<'_>) -> Result<String, Failure> {
    if admitted.direct {
        return direct::versions(shared, module);
    }
    let path = format!("{}/@v/list", escape_module(module));
    let answer = fetch::get(&shared.client, admitted.upstreams, &path)?;
    let (bytes, _) = answer.read(LONGEST_LIST)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match admitted.min_age {
        None => text,
        Some(min_age) => {
            let old = shared
                .ages
                .old(&shared.client, admitted.upstreams, module, &text, min_age);
            old.iter().map(|version| format!("{version}\n")).collect()
        }
    })
}

fn latest<'a>(shared: &'a Shared, module: &str) -> Reply<'a> {
    let admitted = match shared.rules.admit(module) {
        Ok(admitted) => admitted,
        Err(refusal) => return refuse(shared, module, None, None, &refusal),
    };
    let json = match newest(shared, module, &admitted) {
        Ok(json) => json,
        Err(failure) => {
            return withheld(shared, module, None, &admitted)
                .unwrap_or_else(|| failed(shared, None, module, failure));
        }
    };
    let Some(min_age) = admitted.min_age else {
        return Reply::ok(JSON, json);
    };
    let info = Info::parse(&json);
    if info.is_some_and(|info| age::is_old(info.time(), min_age)) {
        return Reply::ok(JSON, json);
    }
    // The newest of those that are old enough stands in.
    let older = versions(shared, module, &admitted).unwrap_or_default();
    let older: Vec<String> = older.lines().map(str::to_owned).collect();
    match age::newest(&older) {
        Some(version) => one_file(
            shared,
            File {
                module: module.to_owned(),
                version: version.clone(),
                kind: Kind::Info,
            },
        ),
        None => refuse(shared, module, None, None, &too_young(shared, min_age)),
    }
}

/// What is said of the newest version, whatever its age.
fn newest(shared: &Shared, module: &str, admitted: &Admitted<'_>) -> Result<Vec<u8>, Failure> {
    if admitted.direct {
        return direct::latest(shared, module);
    }
    let path = format!("{}/@latest", escape_module(module));
    let answer = fetch::get(&shared.client, admitted.upstreams, &path)?;
    Ok(answer.read(age::LONGEST)?.0)
}

fn one_file(shared: &Shared, file: File) -> Reply<'_> {
    let started = Instant::now();
    let refused = |refusal: &Refusal| {
        let kind = Some(file.kind.word());
        refuse(shared, &file.module, Some(&file.version), kind, refusal)
    };
    let admitted = match shared.rules.admit(&file.module) {
        Ok(admitted) => admitted,
        Err(refusal) => return refused(&refusal),
    };
    if let (Some(min_age), Kind::Mod | Kind::Zip) = (admitted.min_age, file.kind) {
        let (module, version) = (&file.module, &file.version);
        let time = shared
            .ages
            .of(&shared.client, admitted.upstreams, module, version);
        match time {
            Ok(time) if age::is_old(time, min_age) => {}
            Ok(_) => return refused(&too_young(shared, min_age)),
            Err(failure) => return failed(shared, Some(&file), &file.module, failure),
        }
    }
    let mut fetch = shared.counts.fetch(&file.module, &file.version);
    let answer = match admitted.direct {
        true => direct::file(shared, &file),
        false => fetch::get(&shared.client, admitted.upstreams, &file.path()),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            return withheld(shared, &file.module, Some(&file), &admitted)
                .unwrap_or_else(|| failed(shared, Some(&file), &file.module, failure));
        }
    };
    if file.kind != Kind::Info {
        return Reply::Stream(Box::new(Transfer {
            file,
            answer,
            fetch,
            audit: &shared.audit,
            started,
        }));
    }
    let (json, upstream) = match answer.read(age::LONGEST) {
        Ok(read) => read,
        Err(failure) => return failed(shared, Some(&file), &file.module, failure),
    };
    if let Some(min_age) = admitted.min_age {
        let info = Info::parse(&json);
        let time = info.as_ref().and_then(Info::time);
        if !age::is_old(time, min_age) {
            return refused(&too_young(shared, min_age));
        }
        // A branch's .info names the version that go asks for next, and speaks for no other.
        if let Some(info) = info {
            shared.ages.learn(&file.module, &info.version, time);
        }
    }
    fetch.received(json.len());
    fetch.done(json.len() as u64);
    let passed = Passed {
        file: &file,
        upstream: &upstream,
        bytes: json.len() as u64,
        digest: shared
            .audit
            .is_kept()
            .then(|| Sha256::new().chain_update(&json)),
        started,
    };
    passed.write(&shared.audit);
    Reply::ok(JSON, json)
}

/// Go asks first whether the database is to be had here; for any other than the policy's it is not.
fn supported<'a>(shared: &Shared, name: &str) -> Reply<'a> {
    match &shared.sumdb {
        Some(database) if database.name() == name => match shared.rules.upstreams().is_off() {
            false => Reply::ok(TEXT, Vec::new()),
            true => unreachable(shared, None, "modules.upstreams is off"),
        },
        _ => Reply::status(404, "Not Found"),
    }
}

fn sumdb<'a>(shared: &Shared, request: &Sumdb) -> Reply<'a> {
    let database = match &shared.sumdb {
        Some(database) if database.name() == request.name => database,
        _ => return Reply::status(404, "Not Found"),
    };
    if shared.rules.upstreams().is_off() {
        return unreachable(shared, request.lookup.as_ref(), "modules.upstreams is off");
    }
    if let Some((module, version)) = &request.lookup
        && let Err(refusal) = shared.rules.admit_lookup(module)
    {
        return refuse(shared, module, Some(version), None, &refusal);
    }
    let answer = database.get(&shared.client, shared.rules.upstreams(), &request.path);
    match answer.and_then(|answer| answer.read(LONGEST_SUMDB)) {
        Ok((body, _)) => Reply::ok(TEXT, body),
        Err(failure) => {
            let said = failure.detail.as_deref().unwrap_or(&failure.reason);
            let _logged = unreachable(shared, request.lookup.as_ref(), said);
            failure.into()
        }
    }
}

/// What cannot be looked up is refused by the go command, since no signature says what it must be.
fn unreachable<'a>(shared: &Shared, lookup: Option<&(String, String)>, why: &str) -> Reply<'a> {
    let why = format!("does not tell what is asked: {}", clean(why));
    let refusal = shared.rules.refusal(
        Code::ChecksumUnconfirmed,
        "modules.checksum-database",
        None,
        Some(why),
    );
    match lookup {
        Some((module, version)) => refuse(shared, module, Some(version), None, &refusal),
        None => {
            let words = clean(&refusal.words());
            shared.audit.write(refused(&refusal));
            shared.counts.refused(words.clone());
            Reply::status(403, &words)
        }
    }
}
