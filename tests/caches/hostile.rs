//! Caches that programs have filled to break or mislead whoever removes them.

use std::fs::{self, Permissions};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

use crate::Scene;
use crate::support::mounts::among_own_mounts;
use crate::support::{Env, confined, held, in_environments, needs_root, write};

/// Fills a folder as its owner.
fn fill(folder: &Path, outside: &Path) {
    for number in 0..60_000 {
        if number % 3_000 == 0 {
            fs::create_dir(folder.join(format!("d{}", number / 3_000))).unwrap();
        }
        fs::write(folder.join(format!("d{}/{number}", number / 3_000)), "").unwrap();
    }
    let long = folder.join("x".repeat(255));
    fs::create_dir(&long).unwrap();
    fs::write(long.join("\n".repeat(255)), "x").unwrap();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = openat(CWD, folder, flags, Mode::empty()).unwrap();
    for _ in 0..3_000 {
        mkdirat(&at, "deep", Mode::RWXU).unwrap();
        at = openat(at.as_fd(), "deep", flags, Mode::empty()).unwrap();
    }
    for name in ["new-0123456789abcdef", "0123456789abcdef", "programs"] {
        symlink(outside, folder.join(name)).unwrap();
    }
    symlink("..", folder.join("up")).unwrap();
    fs::create_dir_all(folder.join("closed/inner")).unwrap();
    fs::write(folder.join("closed/inner/file"), "x").unwrap();
    let modes = [("closed/inner", 0o500), ("closed", 0)];
    for (name, mode) in modes {
        fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
    }
}

fn whatever_is_in_a_cache_is_removed_and_nothing_else(env: Env) {
    let scene = Scene::new(env);
    let outside = scene.site.outside.join("kept");
    write(&outside.join("file"), "kept");
    fs::set_permissions(&outside, Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(outside.join("file"), Permissions::from_mode(0o666)).unwrap();
    scene.run("true");
    let own = scene.own();
    confined::as_user(scene.inside(), || {
        fill(&own, &outside);
        fs::hard_link(outside.join("file"), own.join("hard")).unwrap();
    });
    assert!(scene.of_kind("project")[0]["bytes"].as_u64().unwrap() > 3_000 * 4096);
    scene
        .cache(&["clean", "--project"])
        .expect(0)
        .says("removed");
    let left = fs::read_dir(scene.caches.join("programs")).unwrap();
    assert_eq!(left.count(), 0);
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"kept");
}
in_environments!(
    whatever_is_in_a_cache_is_removed_and_nothing_else: user User, root Root
);

#[test]
fn a_link_in_the_place_of_a_cache_is_not_followed() {
    for env in [Env::User, Env::Root] {
        if !env.is_here() {
            continue;
        }
        let scene = Scene::new(env);
        let outside = scene.site.outside.join("kept");
        write(&outside.join("0123456789abcdef/file"), "kept");
        scene.run("true");
        let own = scene.own();
        fs::remove_dir_all(&own).unwrap();
        symlink(&outside, &own).unwrap();
        let programs = scene.caches.join("programs");
        scene.cache(&["clean", "--all"]).expect(0);
        assert!(own.is_symlink());
        fs::rename(&programs, scene.caches.join("moved")).unwrap();
        symlink(&outside, &programs).unwrap();
        scene.cache(&["clean", "--all"]).expect(0);
        assert!(outside.join("0123456789abcdef/file").exists(), "{env:?}");
    }
}

#[test]
fn what_is_mounted_in_a_cache_stays() {
    if !needs_root("only root mounts") {
        return;
    }
    for env in [Env::User, Env::Root] {
        let scene = Scene::new(env);
        let outside = scene.site.outside.join("kept");
        write(&outside.join("folder/file"), "kept");
        scene.run("mkdir -p \"$XDG_CACHE_HOME/a/b\"; echo x > \"$XDG_CACHE_HOME/a/file\"");
        let own = scene.own();
        among_own_mounts(|| {
            rustix::mount::mount_bind(&outside, own.join("a/b")).unwrap();
            scene
                .cache(&["clean", "--project"])
                .expect(125)
                .refused("cache-left");
            assert!(outside.join("folder/file").exists(), "{env:?}");
        });
        let left = fs::read_dir(scene.caches.join("programs")).unwrap();
        let left: Vec<_> = left.flatten().map(|one| one.path()).collect();
        assert!(left.iter().all(|one| !one.join("a/file").exists()));
    }
}

#[test]
fn a_cache_that_is_exchanged_for_a_link_leads_nowhere() {
    if !needs_root("root removes what another user can exchange") {
        return;
    }
    let scene = Scene::new(Env::Root);
    let kept = scene.site.outside.join("kept");
    write(&kept.join("file"), "kept");
    scene.run("true");
    let (own, aside) = (scene.own(), scene.caches.join("programs/aside"));
    let place = Path::new("programs").join(own.file_name().unwrap());
    let command = || {
        let caches = scene.caches.to_str().unwrap();
        scene
            .site
            .subcommand(&["cache", "clean", "--project", "--cache-dir", caches])
    };
    let mut window = 0;
    loop {
        for old in [&own, &aside] {
            let _is_a_folder = fs::remove_file(old);
            let _is_gone = fs::remove_dir_all(old);
        }
        scene.run("echo x > \"$XDG_CACHE_HOME/file\"");
        let (_, windows) = held::at_window(&mut command(), &place, Some(window), || {
            fs::rename(&own, &aside).unwrap();
            symlink(&kept, &own).unwrap();
        });
        assert!(kept.join("file").exists(), "window {window}");
        assert!(kept.join("file").metadata().unwrap().len() == 4);
        if window >= windows {
            break;
        }
        window += 1;
    }
    assert!(window > 2, "{window} windows");
    // With none of it exchanged the cache goes.
    scene.run("true");
    scene.cache(&["clean", "--project"]).expect(0);
    assert!(!own.exists());
}
