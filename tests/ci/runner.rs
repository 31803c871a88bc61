//! A hosted runner, as far as an action's steps see it: how it reads `action.yml`, which variables and files it gives a
//! step, and what it takes from them (docs.github.com, "Metadata syntax" and "Workflow commands").

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml_ng::Value;

use crate::support::{Ended, Env, Site, checkout, confined, goroot, gosandbox, write};

/// A runner with a checked-out project.
pub struct Runner {
    pub site: Site,
    /// What steps have put before PATH.
    path: Vec<String>,
    /// Variables of the job.
    pub variables: BTreeMap<String, String>,
}

/// The folder that setup actions put tools into.
fn tool_cache(site: &Site) -> PathBuf {
    site.home.join("hostedtoolcache")
}

impl Runner {
    pub fn new(env: Env) -> Runner {
        let site = Site::new(env);
        site.file("go.mod", "module example.test/hello\n\ngo 1.21\n");
        site.file(
            "hello.go",
            "package hello\n\nfunc Word() string { return \"hello\" }\n",
        );
        site.file(
            "hello_test.go",
            include_str!("../fixtures/ci/hello_test.go"),
        );
        for folder in ["_temp", "_tool", "hostedtoolcache"] {
            fs::create_dir_all(site.home.join(folder)).unwrap();
        }
        site.settle();
        Runner {
            site,
            path: Vec::new(),
            variables: BTreeMap::new(),
        }
    }

    /// Puts a folder of tools before the others, as a setup action does.
    pub fn adds_to_path(&mut self, folder: &Path) {
        self.path.push(folder.to_str().unwrap().to_owned());
    }

    pub fn temp(&self) -> PathBuf {
        self.site.home.join("_temp")
    }

    /// Runs an action's steps until one fails.
    pub fn action(&mut self, inputs: &[(&str, &str)]) -> Ended {
        let text = fs::read_to_string(checkout().join("ci/github/action.yml")).unwrap();
        let action: Value = serde_yaml_ng::from_str(&text).unwrap();
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for (name, input) in action["inputs"].as_mapping().unwrap() {
            let default = input["default"].as_str().unwrap();
            known.insert(
                format!("inputs.{}", name.as_str().unwrap()),
                default.to_owned(),
            );
        }
        for (name, value) in inputs {
            let had = known.insert(format!("inputs.{name}"), (*value).to_owned());
            assert!(had.is_some(), "no input {name}");
        }
        let mut all = Ended {
            status: 0,
            stdout: String::new(),
            stderr: String::new(),
        };
        assert_eq!(action["runs"]["using"].as_str(), Some("composite"));
        for step in action["runs"]["steps"].as_sequence().unwrap() {
            let condition = step["if"].as_str();
            if !condition.is_none_or(|text| is_true(text, &known)) {
                continue;
            }
            let ended = self.step(step, &mut known);
            all.status = ended.status;
            all.stdout.push_str(&ended.stdout);
            all.stderr.push_str(&ended.stderr);
            if all.status != 0 {
                break;
            }
        }
        all
    }

    fn step(&mut self, step: &Value, known: &mut BTreeMap<String, String>) -> Ended {
        assert_eq!(step["shell"].as_str(), Some("bash"));
        let script = step["run"].as_str().unwrap();
        // What a workflow gives is data: it never becomes part of a script.
        assert!(!script.contains("${{"), "{script}");
        let place = self.temp().join("step.sh");
        write(&place, script);
        let outputs = [("OUTPUT", "output"), ("PATH", "path"), ("ENV", "env")]
            .map(|(name, file)| (format!("GITHUB_{name}"), self.temp().join(file)));
        for (_, file) in &outputs {
            write(file, "");
        }
        self.site.settle();
        let words = ["--noprofile", "--norc", "-e", "-o", "pipefail"];
        let mut command = Command::new("bash");
        command.args(words).arg(&place);
        self.prepare(&mut command);
        for (name, file) in &outputs {
            command.env(name, file);
        }
        for (name, value) in step["env"].as_mapping().into_iter().flatten() {
            let value = expanded(value.as_str().unwrap(), known);
            command.env(name.as_str().unwrap(), value);
        }
        let ended = Ended::of(&mut command);
        if let Some(id) = step["id"].as_str() {
            for line in fs::read_to_string(&outputs[0].1).unwrap().lines() {
                let (name, value) = line.split_once('=').unwrap();
                known.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
            }
        }
        for line in fs::read_to_string(&outputs[1].1).unwrap().lines() {
            self.path.insert(0, line.to_owned());
        }
        ended
    }

    /// A step of the job's own, after the action.
    pub fn bash(&self, script: &str) -> Ended {
        let mut command = Command::new("bash");
        command.args([
            "--noprofile",
            "--norc",
            "-e",
            "-o",
            "pipefail",
            "-c",
            script,
        ]);
        self.prepare(&mut command);
        Ended::of(&mut command)
    }

    /// The environment of a step.
    fn prepare(&self, command: &mut Command) {
        self.site.prepare(command);
        let bin = gosandbox().parent().unwrap().to_str().unwrap().to_owned();
        let own = goroot().join("bin").display().to_string();
        let mut path = self.path.clone();
        path.extend([own, bin, "/usr/local/bin:/usr/bin:/bin".to_owned()]);
        command
            .env("PATH", path.join(":"))
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_WORKSPACE", &self.site.work)
            .env("GITHUB_TOKEN", "ghs_secret-of-the-job")
            .env("GITHUB_REPOSITORY", "example/hello")
            .env("RUNNER_TEMP", self.temp())
            .env("RUNNER_TOOL_CACHE", tool_cache(&self.site))
            .env("RUNNER_OS", "Linux")
            .env("GOCACHE", self.site.cache().join("go-build"))
            .envs(&self.variables);
        confined::enter(command, self.site.env, self.site.caller());
    }
}

/// `${{ NAME }}` in a value.
fn expanded(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (name, after) = after.split_once("}}").unwrap();
        out.push_str(before);
        out.push_str(known.get(name.trim()).map_or("", String::as_str));
        rest = after;
    }
    out + rest
}

/// A condition: `NAME == 'text'` or `NAME != 'text'`.
fn is_true(text: &str, known: &BTreeMap<String, String>) -> bool {
    let words: Vec<&str> = text.splitn(3, ' ').collect();
    let value = known.get(words[0]).map_or("", String::as_str);
    let literal = words[2].trim_matches('\'');
    match words[1] {
        "==" => value == literal,
        "!=" => value != literal,
        other => panic!("{other}"),
    }
}
