use super::*;

#[test]
fn compilers_are_known_by_name_and_tools_are_not_taken_for_them() {
    for name in [
        "cc",
        "gcc",
        "gcc-12",
        "/usr/bin/x86_64-linux-gnu-gcc-12",
        "clang-18",
        "ld.bfd",
        "aarch64-linux-gnu-as",
        "gcc-ar",
        "c++",
        "clang++-17",
    ] {
        assert!(is_compiler(Path::new(name)), "{name}");
    }
    for name in [
        "go",
        "sh",
        "cat",
        "golangci-lint",
        "git",
        "protoc-gen-go",
        "basename",
        "make",
    ] {
        assert!(!is_compiler(Path::new(name)), "{name}");
    }
}

#[test]
fn paths_are_absolute_short_and_not_the_root() {
    assert_eq!(
        path(Path::new("/a//b/./c/")).ok(),
        Some(PathBuf::from("/a/b/c"))
    );
    for bad in ["", "a", "../a", "/a/../b", "/", "//", "/a\0b"] {
        assert!(path(Path::new(bad)).is_err(), "{bad:?}");
    }
    assert_eq!(inside("./a/b").ok(), Some(PathBuf::from("a/b")));
    for bad in ["", ".", "/a", "..", "a/../b"] {
        assert!(inside(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn root_is_never_the_user() {
    assert!(user("build:build").is_ok() && user("1000:1000").is_ok());
    for bad in ["root", "0", "00", "build:0", "", ":", "a:", "-x", "a b"] {
        assert!(user(bad).is_err(), "{bad}");
    }
}

#[test]
fn hosts_and_variables_are_checked() {
    assert_eq!(
        host("Example.COM:443").ok().as_deref(),
        Some("example.com:443")
    );
    for bad in [
        "", ":443", "a:0", "a:65536", "a b", "http://a", "*.a", "a..b", "-a", "[::1]",
    ] {
        assert!(host(bad).is_err(), "{bad}");
    }
    assert!(variable("GO_X1").is_ok());
    for bad in ["", "1A", "A=B", "A-B", "É"] {
        assert!(variable(bad).is_err(), "{bad}");
    }
}

#[test]
fn upstreams_cannot_be_direct_or_hold_credentials() {
    let list = "https://a.example/x|https://proxy.golang.org,off";
    assert_eq!(upstreams(list).ok().as_deref(), Some(list));
    let elided = upstreams("a.example/x|proxy.golang.org,localhost:3000,off");
    let written = "https://a.example/x|https://proxy.golang.org,https://localhost:3000,off";
    assert_eq!(elided.ok().as_deref(), Some(written));
    for bad in [
        "",
        "direct",
        "https://a,direct",
        "ftp://a",
        "https://u:p@a/",
        "https://",
        "u:p@a.example",
        "/srv/proxy",
        "a",
        "a.example,",
    ] {
        assert!(upstreams(bad).is_err(), "{bad}");
    }
    assert!(module_pattern("example.com/*").is_ok() && allowed("*").is_ok());
    for bad in ["*", "**/*", "?*", "a,b", "a["] {
        assert!(module_pattern(bad).is_err(), "{bad}");
    }
}
