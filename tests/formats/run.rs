//! Real builds under what was generated: bubblewrap, and a container by the reference engine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gosandbox::generate;

use crate::support::{self, Env, needs_program, reachable};
use crate::{launcher, render};

#[test]
fn bubblewrap_builds_with_the_command_line_and_writes_nothing_else() {
    if !needs_program("bwrap", "bubblewrap") {
        return;
    }
    let site = support::Site::new(Env::User);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file(
        "main.go",
        "package main\n\nfunc main() { println(\"ran\") }\n",
    );
    site.file(".git/HEAD", "ref: refs/heads/main\n");
    site.settle();
    let made = launcher(&site, &site.work, &["profile", "bwrap", "-q"]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let script = site.root.join("outside/bwrap.sh");
    fs::write(&script, made.stdout).unwrap();
    fs::write(site.outside.join("secret"), "secret").unwrap();
    site.settle();
    let run = |words: &[&str]| {
        let script = script.to_string_lossy().into_owned();
        let all: Vec<&str> = ["sh", script.as_str()]
            .into_iter()
            .chain(words.iter().copied())
            .collect();
        support::Ended::of(&mut site.bare(&all))
    };
    run(&["go", "build", "-o", "m", "."]).expect(0);
    assert!(site.work.join("m").exists());
    let secret = site.outside.join("secret");
    let head = site.work.join(".git/HEAD");
    for script in [
        format!("cat {}", secret.display()),
        format!("echo >> {}", head.display()),
    ] {
        let ended = run(&["sh", "-c", &script]);
        assert!(ended.status != 0, "{script}: {ended:?}");
        support::Ended::of(&mut site.bare(&["sh", "-c", &script])).expect(0);
    }
}

/// A container by the reference engine, with the filter that was generated and gosandbox inside.
#[test]
fn a_container_with_the_filter_builds_tests_and_refuses() {
    if !support::needs_root("a container needs root") {
        return;
    }
    if !needs_program("runc", "runc") {
        return;
    }
    let container = Container::new();
    let ended = container.run(&["go", "build", "-o", "/work/out", "."]);
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let ended = container.run(&["go", "test", "./..."]);
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.contains("ok"),
        "{said} {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    // By the container's filter: gosandbox is not in between.
    for (words, allowed) in [
        (&["unshare", "-r", "true"][..], false),
        (&["chmod", "u+s", "/work/main.go"], false),
        (&["chmod", "u+x", "/work/main.go"], true),
    ] {
        let ended = container.run_bare(words);
        assert_eq!(ended.status.success(), allowed, "{words:?}: {ended:?}");
    }
}

struct Container {
    folder: PathBuf,
    name: String,
}

impl Container {
    fn new() -> Container {
        let name = format!("gosandbox-test-{}", std::process::id());
        let folder = reachable::folder().join(&name);
        for part in [
            "rootfs/usr",
            "rootfs/etc",
            "rootfs/work",
            "rootfs/cache",
            "rootfs/tmp",
            "rootfs/proc",
            "rootfs/dev",
            "rootfs/gosandbox",
            "work",
            "cache",
        ] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        for link in ["bin", "lib", "lib64", "sbin"] {
            std::os::unix::fs::symlink(format!("usr/{link}"), folder.join("rootfs").join(link))
                .unwrap();
        }
        fs::set_permissions(
            folder.join("rootfs/tmp"),
            std::os::unix::fs::PermissionsExt::from_mode(0o1777),
        )
        .unwrap();
        support::write(
            &folder.join("work/go.mod"),
            "module example.com/m\n\ngo 1.21\n",
        );
        support::write(
            &folder.join("work/main.go"),
            "package main\n\nfunc main() {}\n",
        );
        support::write(
            &folder.join("work/main_test.go"),
            "package main\n\nimport (\n\t\"net\"\n\t\"testing\"\n)\n\nfunc TestLoopback(t *testing.T) {\n\tl, err := net.Listen(\"tcp\", \"127.0.0.1:0\")\n\tif err != nil {\n\t\tt.Fatal(err)\n\t}\n\tdefer l.Close()\n\tc, err := net.Dial(\"tcp\", l.Addr().String())\n\tif err != nil {\n\t\tt.Fatal(err)\n\t}\n\tc.Close()\n}\n",
        );
        for part in ["work", "cache"] {
            support::give_tree(&folder.join(part), generate::container::USER);
        }
        Container { folder, name }
    }

    fn run(&self, words: &[&str]) -> std::process::Output {
        let launcher = ["/gosandbox/gosandbox", "--cache-dir", "/cache", "--"];
        self.run_bare(&[&launcher, words].concat())
    }

    fn run_bare(&self, words: &[&str]) -> std::process::Output {
        let filter: serde_json::Value =
            serde_json::from_str(&render("oci-seccomp", None, Path::new("/work")).unwrap())
                .unwrap();
        let bind = |source: &Path, target: &str, mode: &str| serde_json::json!({"destination": target, "type": "none", "source": source, "options": ["rbind", mode, "nosuid", "nodev"]});
        let goroot = support::goroot();
        let mut mounts = vec![
            serde_json::json!({"destination": "/proc", "type": "proc", "source": "proc"}),
            serde_json::json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}),
            serde_json::json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]}),
            bind(Path::new("/usr"), "/usr", "ro"),
            bind(&self.folder.join("work"), "/work", "rw"),
            bind(&self.folder.join("cache"), "/cache", "rw"),
            bind(reachable::gosandbox().parent().unwrap(), "/gosandbox", "ro"),
        ];
        if !goroot.starts_with("/usr") {
            mounts.push(bind(goroot, goroot.to_str().unwrap(), "ro"));
        }
        let none: [&str; 0] = [];
        let namespaces = ["pid", "network", "ipc", "uts", "mount"];
        let namespaces = namespaces.map(|kind| serde_json::json!({"type": kind}));
        let user = generate::container::USER;
        let config = serde_json::json!({
            "ociVersion": "1.0.2",
            "root": {"path": "rootfs", "readonly": true},
            "process": {
                "terminal": false,
                "user": {"uid": user, "gid": user},
                "args": words,
                "env": [format!("PATH={}/bin:/usr/bin:/bin", goroot.display())],
                "cwd": "/work",
                "noNewPrivileges": true,
                "capabilities": {"bounding": none, "effective": none, "permitted": none, "inheritable": none, "ambient": none},
            },
            "mounts": mounts,
            "linux": {
                "namespaces": namespaces,
                "seccomp": filter,
            },
        });
        fs::write(self.folder.join("config.json"), config.to_string()).unwrap();
        let mut command = Command::new("runc");
        command
            .arg("--root")
            .arg(self.folder.join("state"))
            .args(["run", &self.name]);
        command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _removed_with_the_next_run = fs::remove_dir_all(&self.folder);
    }
}
