//! `tests/run` itself, with small stand-ins for all that it starts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/usr/bin/env bash\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs it where cargo does what `cargo` says; gives what it printed, its exit code, and what cargo was asked.
fn run(cargo: &str, patience: &str) -> (String, i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
    script(&root.join("tests/run"), "");
    fs::copy(source, root.join("tests/run")).unwrap();
    fs::create_dir_all(root.join("tests/servers")).unwrap();
    fs::write(root.join("tests/servers/cache.sh"), "cache=$ANABRANCH_CACHE\n").unwrap();
    script(&root.join("tests/servers/apt"), "");
    script(&root.join("tests/servers/all"), "mkdir -p \"$2\"; : > \"$2/env\"");
    script(&root.join("tests/servers/clients"), "echo all clients are there");
    script(&root.join("tests/deny"), "");
    script(&root.join("bin/cargo"), &format!("echo \"$*\" >> \"$ANABRANCH_CACHE/asked\"\n{cargo}"));
    let path = format!("{}:{}", root.join("bin").display(), std::env::var("PATH").unwrap());
    let ran = Command::new(root.join("tests/run"))
        .env("PATH", path)
        .env("ANABRANCH_CACHE", root)
        .env("ANABRANCH_PATIENCE", patience)
        .env("HOME", root)
        .output()
        .unwrap();
    let printed =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    let asked = fs::read_to_string(root.join("asked")).unwrap_or_default();
    (printed, ran.status.code().unwrap_or(-1), asked)
}

#[test]
fn nothing_runs_behind_a_build_that_failed() {
    let (printed, code, asked) = run("case \"$*\" in *--no-run*) exit 1 ;; esac", "1");
    assert_eq!(code, 1, "{printed}");
    assert!(asked.contains("--no-run"), "{asked}");
    assert!(!asked.contains("clippy") && !asked.contains("--lib"), "{asked}");
    assert!(
        printed.contains("failed: build") && printed.ends_with("0 passed, 0 failed\n"),
        "{printed}"
    );
}

#[test]
fn a_build_that_works_is_followed_by_everything_else() {
    let (printed, code, asked) = run("echo 'test result: ok. 3 passed; 0 failed;'", "2");
    assert_eq!(code, 0, "{printed}");
    for step in ["fmt", "clippy", "doc", "--lib --bins", "--test it"] {
        assert!(asked.contains(step), "{step}: {asked}");
    }
    assert!(printed.ends_with("9 passed, 0 failed\n"), "{printed}");
}

#[test]
fn patience_is_a_number() {
    let (printed, code, asked) = run("", "long");
    assert_eq!((code, asked.as_str()), (2, ""), "{printed}");
    assert!(printed.contains("write a whole number"), "{printed}");
}
