//! Go as distributions lay it out: links below the top of GOROOT, and go commands that are linked dynamically.

use std::path::PathBuf;
use std::process::Command;

use super::support::root_folder;
use super::*;

/// A folder of the tests' own user, removed with the value.
struct Own(PathBuf);

impl Drop for Own {
    fn drop(&mut self) {
        let _removed = fs::remove_dir_all(&self.0);
    }
}

/// A GOROOT whose source, settings and headers lie elsewhere, as Debian has it.
fn linked(own: &Own) -> PathBuf {
    use std::os::unix::fs::symlink;
    let (lib, share) = (own.0.join("lib/go"), own.0.join("share/go"));
    let real = goroot();
    fs::create_dir_all(share.join("pkg")).unwrap();
    fs::create_dir_all(lib.join("pkg")).unwrap();
    for name in ["VERSION", "go.env"] {
        fs::copy(real.join(name), share.join(name)).unwrap();
        symlink(Path::new("../../share/go").join(name), lib.join(name)).unwrap();
    }
    copy_tree(&real.join("pkg/include"), &share.join("pkg/include"));
    symlink("../../../share/go/pkg/include", lib.join("pkg/include")).unwrap();
    copy_tree(&real.join("pkg/tool"), &lib.join("pkg/tool"));
    copy_tree(&real.join("bin"), &lib.join("bin"));
    for name in ["src", "lib"] {
        symlink(real.join(name), lib.join(name)).unwrap();
    }
    lib
}

#[test]
fn a_go_whose_parts_lie_elsewhere_builds() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = hello(env);
        let own = Own(root_folder());
        let goroot = linked(&own);
        // Assembly that includes a header of pkg/include.
        site.file(
            "x.s",
            "#include \"textflag.h\"\n\nTEXT ·nothing(SB), NOSPLIT, $0-0\n\tRET\n",
        );
        site.file(
            "x.go",
            "package main\n\nfunc nothing()\n\nfunc init() { nothing() }\n",
        );
        site.settle();
        let options = ["--goroot", goroot.to_str().unwrap()];
        site.run(&options, &["go", "build", "-o", "out", "."])
            .expect(0);
        assert!(site.work.join("out").is_file(), "{env:?}");
    }
}

#[test]
fn a_go_command_that_is_linked_dynamically_runs() {
    const GO: &str = "package main\n\nfunc main() { println(\"the dynamic go\") }\n";
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = hello(env);
        let own = Own(root_folder());
        let goroot = linked(&own);
        let source = own.0.join("go.go");
        write(&source, GO);
        let built = Command::new(crate::support::goroot().join("bin/go"))
            .args(["build", "-buildmode=pie", "-o"])
            .arg(goroot.join("bin/go"))
            .arg(&source)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-buildvcs=false")
            .status();
        assert!(built.unwrap().success());
        let content = fs::read(goroot.join("bin/go")).unwrap();
        let loader = b"/lib64/ld-linux";
        let is_dynamic = content.windows(loader.len()).any(|part| part == loader);
        assert!(is_dynamic || !cfg!(target_arch = "x86_64"));
        site.settle();
        let options = ["--goroot", goroot.to_str().unwrap()];
        let ended = site.run(&options, &["go", "version"]).expect(0);
        assert_eq!(ended.stderr, "the dynamic go\n", "{env:?}");
    }
}
