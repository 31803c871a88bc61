//! Which modules may be fetched, from where, and which hosts reached: the policy's word on each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Error;
use crate::policy::{Modules, pattern};
use crate::refusal::Code;
use crate::web::upstream::Upstreams;

/// The policy's rules, parsed.
#[derive(Debug)]
pub(super) struct Rules {
    modules: Modules,
    upstreams: Upstreams,
    private: BTreeMap<String, Upstreams>,
    /// Those of the general upstreams that learn nothing by being asked.
    folders: Upstreams,
}

/// Where a module comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'a> {
    /// The general upstreams.
    General,
    /// Upstreams of its own.
    Own(&'a Upstreams),
    /// Its own repository.
    Direct,
}

/// The path of the module that toolchains are versions of.
const TOOLCHAINS: &str = "golang.org/toolchain";

/// A module that may be fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted<'a> {
    /// From where.
    pub(super) upstreams: &'a Upstreams,
    /// How old its versions must be.
    pub(super) min_age: Option<Duration>,
    /// Whether it comes from its own repository: `upstreams` are not asked then.
    pub(super) direct: bool,
    /// The pattern of the caller's environment that withholds it, and the variable: `upstreams` are folders then.
    pub(super) withheld: Option<(&'a str, &'a str)>,
}

/// Why something is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The stable code.
    pub(super) code: Code,
    /// The rule that decided, with its place.
    pub(super) rule: String,
    /// What the rule found, where that is not plain.
    pub(super) why: Option<String>,
}

impl Rules {
    pub(super) fn new(modules: Modules) -> Result<Rules, Error> {
        let patterns = modules.allow.iter().chain(&modules.deny);
        let patterns = patterns
            .chain(&modules.private)
            .chain(modules.private_upstreams.keys())
            .chain(modules.direct.keys())
            .chain(modules.withheld.keys());
        // A pattern that cannot be read matches nothing: as a denial it would be silent.
        if let Some(bad) = patterns
            .into_iter()
            .find(|one| !pattern::is_well_formed(one))
        {
            return Err(Error(format!("`{bad}` cannot be read as a module pattern")));
        }
        let private = modules
            .private_upstreams
            .iter()
            .map(|(pattern, upstreams)| Ok((pattern.clone(), Upstreams::parse(upstreams)?)))
            .collect::<Result<_, Error>>()?;
        let upstreams = Upstreams::parse(&modules.upstreams)?;
        Ok(Rules {
            folders: upstreams.folders(),
            upstreams,
            private,
            modules,
        })
    }

    /// Whether a module may be fetched.
    pub(super) fn admit(&self, module: &str) -> Result<Admitted<'_>, Refusal> {
        let matching =
            |list: &'_ [String]| list.iter().position(|one| pattern::matches(one, module));
        if let Some(at) = matching(&self.modules.deny) {
            let denied = &self.modules.deny[at];
            return Err(self.refusal(Code::ModuleDenied, "modules.deny", Some(denied), None));
        }
        if matching(&self.modules.allow).is_none() {
            let why = Some("does not name it".to_owned());
            return Err(self.refusal(Code::ModuleNotAllowed, "modules.allow", None, why));
        }
        let place = self.place(module);
        let withheld = match place {
            Place::General => self.withheld(module),
            Place::Own(_) | Place::Direct => None,
        };
        let is_general = place == Place::General && withheld.is_none();
        // Not asked where nothing hangs on it: a profile may name many.
        let is_private = || !is_general || matching(&self.modules.private).is_some();
        let min_age = self.modules.min_age.filter(|_| !is_private());
        Ok(Admitted {
            upstreams: match place {
                Place::Own(upstreams) => upstreams,
                Place::General if withheld.is_none() => &self.upstreams,
                Place::General | Place::Direct => &self.folders,
            },
            min_age: min_age.map(Duration::from_secs),
            direct: place == Place::Direct,
            withheld,
        })
    }

    /// Where the most particular pattern that the module matches has it come from.
    fn place(&self, module: &str) -> Place<'_> {
        let own = self.private.iter();
        let own = own.map(|(pattern, upstreams)| (pattern, Place::Own(upstreams)));
        let direct = self.modules.direct.keys();
        own.chain(direct.map(|pattern| (pattern, Place::Direct)))
            .filter(|(pattern, _)| pattern::matches(pattern, module))
            .max_by_key(|(pattern, _)| (pattern.matches('/').count(), pattern.len()))
            .map_or(Place::General, |(_, place)| place)
    }

    /// The pattern of the caller's environment that withholds a module, and the variable that holds it.
    fn withheld(&self, module: &str) -> Option<(&str, &str)> {
        // The toolchains' own path is nobody's secret.
        if module == TOOLCHAINS {
            return None;
        }
        let mut withheld = self.modules.withheld.iter();
        let (pattern, variable) =
            withheld.find(|(pattern, _)| pattern::matches(pattern, module))?;
        Some((pattern, variable))
    }

    /// Whether the checksum database may be asked for a module: names of private ones stay here.
    pub(super) fn admit_lookup(&self, module: &str) -> Result<(), Refusal> {
        self.admit(module)?;
        if let Some((pattern, variable)) = self.withheld(module) {
            let why = "keeps it from the checksum database".to_owned();
            let code = Code::ModuleWithheld;
            return Err(self.refusal(code, variable, Some(pattern), Some(why)));
        }
        let private = self.modules.private.iter();
        match private
            .into_iter()
            .find(|one| pattern::matches(one, module))
        {
            None => Ok(()),
            Some(one) => Err(self.refusal(
                Code::ModulePrivate,
                "modules.private",
                Some(one),
                Some("keeps it from the checksum database".to_owned()),
            )),
        }
    }

    pub(super) fn refusal(
        &self,
        code: Code,
        key: &str,
        item: Option<&str>,
        why: Option<String>,
    ) -> Refusal {
        Refusal {
            code,
            rule: self.modules.rule(key, item),
            why,
        }
    }

    /// The general upstreams, as the policy writes them.
    pub(super) fn general(&self) -> &str {
        &self.modules.upstreams
    }

    /// The upstreams of all modules that have none of their own.
    pub(super) fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    /// Every list of upstreams.
    pub(super) fn all_upstreams(&self) -> impl Iterator<Item = &Upstreams> {
        std::iter::once(&self.upstreams).chain(self.private.values())
    }

    /// The value of GOSUMDB.
    pub(super) fn checksum_database(&self) -> &str {
        &self.modules.checksum_database
    }
}

impl Refusal {
    /// In words, for the reason phrase that go prints and for the log.
    pub(super) fn words(&self) -> String {
        match &self.why {
            Some(why) => format!("refused by gosandbox: {} {why}", self.rule),
            None => format!("refused by gosandbox: {}", self.rule),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(change: impl FnOnce(&mut Modules)) -> Rules {
        let mut modules = Modules {
            upstreams: "https://general.example".to_owned(),
            allow: vec!["*".to_owned()],
            min_age: Some(60),
            ..Modules::closed()
        };
        change(&mut modules);
        Rules::new(modules).expect("good rules")
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn deny_wins_and_an_empty_allow_allows_nothing() {
        let rules_of = |allow: &[&str], deny: &[&str]| {
            rules(|modules| {
                modules.allow = words(allow);
                modules.deny = words(deny);
            })
        };
        let some = rules_of(&["a.b/*"], &["a.b/c"]);
        assert!(some.admit("a.b/d/e").is_ok());
        assert_eq!(
            some.admit("a.b/c/x").expect_err("denied").rule,
            "modules.deny a.b/c"
        );
        assert_eq!(
            some.admit("c.d/e").expect_err("not named").rule,
            "modules.allow"
        );
        assert!(rules_of(&[], &[]).admit("a.b").is_err());
        assert!(rules_of(&["*"], &["*"]).admit("a.b").is_err());
    }

    #[test]
    fn a_private_module_has_its_own_upstreams_and_no_others() {
        let rules = rules(|modules| {
            modules.private = words(&["git.example/*"]);
            modules.private_upstreams = [
                ("git.example", "https://one"),
                ("git.example/a", "https://two"),
            ]
            .map(|(pattern, upstream)| (pattern.to_owned(), upstream.to_owned()))
            .into();
        });
        let of = |module: &str| rules.admit(module).expect("admitted");
        let parse = |text: &str| Upstreams::parse(text).expect("good");
        assert_eq!(*of("git.example/b").upstreams, parse("https://one"));
        assert_eq!(*of("git.example/a/c").upstreams, parse("https://two"));
        assert_eq!(
            *of("other.example").upstreams,
            parse("https://general.example")
        );
        assert!(of("git.example/b").min_age.is_none() && of("other.example").min_age.is_some());
        assert!(rules.admit_lookup("git.example/b").is_err());
        assert!(rules.admit_lookup("other.example").is_ok());
    }

    #[test]
    fn a_refusal_names_its_rule_and_its_place() {
        let rules = rules(|modules| {
            modules.deny = words(&["a.b"]);
            let place = ("modules.deny a.b".to_owned(), "/p.toml:3".to_owned());
            modules.places = [place].into();
        });
        let refusal = rules.admit("a.b/c").expect_err("denied");
        assert_eq!(
            refusal.words(),
            "refused by gosandbox: modules.deny a.b (/p.toml:3)"
        );
    }

    proptest! {
        #[test]
        fn no_allowance_undoes_a_denial(
            allow in prop::collection::vec("[ab*]{1,2}\\.c(/[ab*])?", 0..4),
            deny in prop::collection::vec("[ab*]{1,2}\\.c(/[ab*])?", 0..4),
            module in "[ab]{1,2}\\.c(/[ab]){0,2}",
        ) {
            let rules = rules(|modules| {
                modules.allow.clone_from(&allow);
                modules.deny.clone_from(&deny);
            });
            let matched = |list: &[String]| list.iter().any(|one| pattern::matches(one, &module));
            prop_assert_eq!(rules.admit(&module).is_ok(), matched(&allow) && !matched(&deny));
        }
    }
}
