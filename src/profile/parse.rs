//! TOML text to settings, each checked and with its line.

mod tables;

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::{self, Problem};
use super::error::did_you_mean;
use super::origin::Source;
use super::setting::{Edit, Item, Setting, Value};
use super::{Error, Key, Origin, nearest, units};
use crate::policy::{Cgo, Loose, Requirement, Staging, TreeAccess};

/// A profile as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) source: Source,
    pub(super) description: Option<String>,
    pub(super) extends: Option<Item<String>>,
    pub(super) settings: Vec<Setting>,
}

const TOP: [&str; 2] = ["description", "extends"];

/// Parses and checks a profile.
pub(super) fn parse(text: &str, source: Source) -> Result<Document, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reader = Reader {
        starts: text
            .bytes()
            .enumerate()
            .filter(|(_, b)| *b == b'\n')
            .map(|(i, _)| i + 1)
            .collect(),
        source: &source,
    };
    let table = DeTable::parse(text).map_err(|error| Error::Syntax {
        at: reader.at(error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    let mut document = Document {
        source: source.clone(),
        description: None,
        extends: None,
        settings: Vec::with_capacity(40),
    };
    for (name, value) in table.get_ref() {
        let at = || reader.at(name.span().start);
        let name = name.get_ref().as_ref();
        if TOP.contains(&name) {
            let text = reader.top(name, value)?;
            match name {
                "extends" => document.extends = Some(text),
                _ => document.description = Some(text.value),
            }
        } else if let Some(section) = Key::SECTIONS.into_iter().find(|one| *one == name) {
            reader.section(section, value, &mut document.settings)?;
        } else {
            return Err(Error::UnknownKey {
                at: at(),
                what: if value.get_ref().is_table() {
                    "section"
                } else {
                    "key"
                },
                name: name.to_owned(),
                hint: did_you_mean(nearest(name, TOP.into_iter().chain(Key::SECTIONS))),
            });
        }
    }
    Ok(document)
}

/// Knows the lines of one text.
struct Reader<'a> {
    /// Where each line but the first starts.
    starts: Vec<usize>,
    source: &'a Source,
}

type Node<'i> = Spanned<DeValue<'i>>;

const LIST: &str = "a list of texts";

impl Reader<'_> {
    fn line(&self, offset: usize) -> u32 {
        let before = self.starts.partition_point(|start| *start <= offset);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }

    fn at(&self, offset: usize) -> Origin {
        self.source.at(self.line(offset))
    }

    fn top(&self, name: &str, node: &Node<'_>) -> Result<Item<String>, Error> {
        let line = self.line(node.span().start);
        match node.get_ref().as_str() {
            Some(text) if !text.is_empty() && !text.contains(char::is_control) => Ok(Item {
                value: text.to_owned(),
                line,
            }),
            _ => Err(Error::Value {
                at: self.source.at(line),
                key: name.to_owned(),
                problem: "must be a text of one line".to_owned(),
            }),
        }
    }

    fn section(
        &self,
        section: &'static str,
        node: &Node<'_>,
        settings: &mut Vec<Setting>,
    ) -> Result<(), Error> {
        let Some(table) = node.get_ref().as_table() else {
            return Err(Error::Value {
                at: self.at(node.span().start),
                key: section.to_owned(),
                problem: format!("is a section: write [{section}] and its keys below"),
            });
        };
        for (name, value) in table {
            let offset = name.span().start;
            let name = name.get_ref().as_ref();
            let Some(key) = Key::find(section, name) else {
                return Err(self.unknown(section, name, offset));
            };
            let line = self.line(offset);
            let value = self.value(key, value)?;
            settings.push(Setting { value, line });
        }
        Ok(())
    }

    /// The nearest key of the section, else one of the same name in another.
    fn unknown(&self, section: &'static str, name: &str, offset: usize) -> Error {
        let here = Key::all().filter(|key| key.section() == section);
        let hint = match nearest(name, here.map(Key::name)) {
            Some(near) => did_you_mean(Some(near)),
            None => Key::all()
                .find(|key| key.name() == name)
                .map_or_else(String::new, |key| {
                    format!(" (it belongs into `[{}]`)", key.section())
                }),
        };
        Error::UnknownKey {
            at: self.at(offset),
            what: "key",
            name: format!("{section}.{name}"),
            hint,
        }
    }

    fn value(&self, key: Key, node: &Node<'_>) -> Result<Value, Error> {
        let paths = |check: fn(&str) -> Result<PathBuf, Problem>| self.list(key, node, check);
        let words = |check: fn(&str) -> Result<String, Problem>| self.list(key, node, check);
        let absolute: fn(&str) -> Result<PathBuf, Problem> = |text| check::path(Path::new(text));
        Ok(match key {
            Key::User => Value::User(self.optional(key, node, "auto", check::user)?),
            Key::Read => Value::Read(paths(absolute)?),
            Key::Write => Value::Write(paths(absolute)?),
            Key::Protected => Value::Protected(self.protected(key, node)?),
            Key::Test => Value::Test(self.word(key, node, &TreeAccess::ALL, TreeAccess::word)?),
            Key::Run => Value::Run(self.word(key, node, &TreeAccess::ALL, TreeAccess::word)?),
            Key::Command => {
                Value::Command(self.word(key, node, &TreeAccess::ALL, TreeAccess::word)?)
            }
            Key::Stage => Value::Stage(self.word(key, node, &Staging::ALL, Staging::word)?),
            Key::Direct => Value::Direct(self.list(key, node, check::runs)?),
            Key::KeepStaged => Value::KeepStaged(self.span(key, node)?),
            Key::Execute => Value::Execute(paths(check::program)?),
            Key::Cgo => Value::Cgo(self.word(key, node, &Cgo::ALL, Cgo::word)?),
            Key::Stamping => Value::Stamping(self.switch(key, node)?),
            Key::Race => Value::Race(self.switch(key, node)?),
            Key::Debug => Value::Debug(self.switch(key, node)?),
            Key::AllowFlags => Value::AllowFlags(words(check::flag)?),
            Key::Upstreams => Value::Upstreams(self.text(key, node, check::upstreams)?),
            Key::ChecksumDatabase => {
                Value::ChecksumDatabase(self.text(key, node, check::checksum_database)?)
            }
            Key::AllowModules => Value::AllowModules(words(check::allowed)?),
            Key::Deny => Value::Deny(words(check::allowed)?),
            Key::MinAge => Value::MinAge(self.amount(key, node, units::duration)?),
            Key::Private => self.private(key, node)?,
            Key::Ca => Value::Ca(paths(absolute)?),
            Key::Pins => Value::Pins(self.pins(key, node)?),
            Key::Credentials => Value::Credentials(self.optional(key, node, "netrc", absolute)?),
            Key::ModFlag => Value::ModFlag(self.optional(key, node, "default", |text| {
                if matches!(text, "readonly" | "vendor" | "mod") {
                    return Ok(text.to_owned());
                }
                Err(Problem(format!(
                    "`{text}` is not one of default, readonly, vendor, mod"
                )))
            })?),
            Key::Toolchains => Value::Toolchains(self.range(key, node)?),
            Key::Loose => Value::Loose(self.word(key, node, &Loose::ALL, Loose::word)?),
            Key::Allow => Value::Allow(words(check::host)?),
            Key::Programs => Value::Programs(self.reach(key, node)?),
            Key::Services => Value::Services(self.list(key, node, check::service)?),
            Key::Publish => Value::Publish(self.list(key, node, check::port)?),
            Key::Pass => Value::Pass(words(check::variable)?),
            Key::Set => Value::Set(self.variables(key, node)?),
            Key::Timeout => Value::Timeout(self.amount(key, node, units::duration)?),
            Key::Memory => Value::Memory(self.amount(key, node, units::size)?),
            Key::Pids => Value::Pids(self.amount(key, node, units::count)?),
            Key::OpenFiles => Value::OpenFiles(self.amount(key, node, units::count)?),
            Key::Apparmor => Value::Apparmor(self.optional(key, node, "off", check::label)?),
            Key::Selinux => Value::Selinux(self.optional(key, node, "off", check::domain)?),
            Key::Layer(layer) => Value::Layer(
                layer,
                self.word(key, node, &Requirement::ALL, Requirement::word)?,
            ),
            Key::Guarantee(guarantee) => Value::Guarantee(
                guarantee,
                self.word(key, node, &Requirement::ALL, Requirement::word)?,
            ),
        })
    }

    fn wrong(&self, key: Key, node: &Node<'_>, problem: impl ToString) -> Error {
        Error::value(self.at(node.span().start), key, problem)
    }

    fn expected(&self, key: Key, node: &Node<'_>, what: &str) -> Error {
        let found = node.get_ref().type_str();
        let instead = match node.get_ref().as_str() {
            // One where several may stand is what people write first.
            Some(text) if what == LIST => {
                let text = toml::Value::from(text);
                format!(": write {} = [{text}]", key.name())
            }
            _ => String::new(),
        };
        let problem = format!("must be {what}, and is of type {found}{instead}");
        self.wrong(key, node, problem)
    }

    /// A text; a whole number stands for its digits, as in `services = [5432]`.
    fn text<T>(
        &self,
        key: Key,
        node: &Node<'_>,
        check: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<T, Error> {
        let text = match node.get_ref() {
            DeValue::Integer(number) if key.takes_numbers() => Some(number.as_str()),
            value => value.as_str(),
        };
        let text = text.ok_or_else(|| self.expected(key, node, "a text"))?;
        check(text).map_err(|problem| self.wrong(key, node, problem))
    }

    fn optional<T>(
        &self,
        key: Key,
        node: &Node<'_>,
        none: &str,
        check: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, Error> {
        self.text(key, node, |text| {
            if text == none {
                Ok(None)
            } else {
                check(text).map(Some)
            }
        })
    }

    fn word<T: Copy>(
        &self,
        key: Key,
        node: &Node<'_>,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Result<T, Error> {
        self.text(key, node, |text| {
            all.iter()
                .copied()
                .find(|one| word(*one) == text)
                .ok_or_else(|| {
                    let words: Vec<_> = all.iter().map(|one| word(*one)).collect();
                    Problem(format!("`{text}` is not one of {}", words.join(", ")))
                })
        })
    }

    fn switch(&self, key: Key, node: &Node<'_>) -> Result<bool, Error> {
        node.get_ref()
            .as_bool()
            .ok_or_else(|| self.expected(key, node, "true or false"))
    }

    /// A text with a unit, a bare number, or `"none"`.
    fn amount(
        &self,
        key: Key,
        node: &Node<'_>,
        check: fn(&str) -> Result<u64, Problem>,
    ) -> Result<Option<u64>, Error> {
        match node.get_ref() {
            DeValue::Integer(number) => check(number.as_str())
                .map(Some)
                .map_err(|problem| self.wrong(key, node, problem)),
            DeValue::String(_) => self.optional(key, node, "none", check),
            _ => Err(self.expected(key, node, "a number, a text with a unit, or \"none\"")),
        }
    }

    /// A duration that cannot be left out: a text with a unit, or a number of seconds.
    fn span(&self, key: Key, node: &Node<'_>) -> Result<u64, Error> {
        let text = match node.get_ref() {
            DeValue::Integer(number) => number.as_str(),
            DeValue::String(text) => text,
            _ => return Err(self.expected(key, node, "a number or a text with a unit")),
        };
        units::duration(text).map_err(|problem| self.wrong(key, node, problem))
    }

    fn items<T>(
        &self,
        key: Key,
        node: &Node<'_>,
        check: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Vec<Item<T>>, Error> {
        let array = node
            .get_ref()
            .as_array()
            .ok_or_else(|| self.expected(key, node, LIST))?;
        let item = |one: &Node<'_>| {
            Ok(Item {
                value: self.text(key, one, &check)?,
                line: self.line(one.span().start),
            })
        };
        array.iter().map(item).collect()
    }

    fn list<T>(
        &self,
        key: Key,
        node: &Node<'_>,
        check: fn(&str) -> Result<T, Problem>,
    ) -> Result<Edit<T>, Error> {
        let Some(table) = node.get_ref().as_table() else {
            return self.items(key, node, check).map(Edit::Replace);
        };
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "add" => add = self.items(key, value, check)?,
                "remove" => remove = self.items(key, value, check)?,
                other => {
                    return Err(Error::UnknownKey {
                        at: self.at(name.span().start),
                        what: "key",
                        name: format!("{key}.{other}"),
                        hint: did_you_mean(nearest(other, ["add", "remove"])),
                    });
                }
            }
        }
        Ok(Edit::Change { add, remove })
    }
}
