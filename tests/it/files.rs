//! The file shim and the tracer around real programs: they see everything, and strike at the n-th.

use crate::sqlite_targets::copy_notes;
use rehearsal::engine::files::replay::{self, missed};
use rehearsal::engine::files::{Detail, FileAct, FileOp, Library, OpKind, Shim, counts};
use rehearsal::model::{Axis, Place};
use rehearsal::process::{Exit, Spawn};
use rstest::rstest;
use std::fs;
use std::path::Path;

/// A folder that is watched, with a part `work` in which children begin.
struct Watched {
    folder: tempfile::TempDir,
    shim: Shim,
    by: By,
}

/// What watches.
#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    /// The shim, from inside.
    Shim,
    /// The tracer, from outside; here of programs into which the shim could be loaded, too.
    Tracer,
}

impl Watched {
    fn new(by: By) -> Watched {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        let shim = Shim::install(folder.path(), &Library::unpack(folder.path()).unwrap()).unwrap();
        Watched { folder, shim, by }
    }

    fn work(&self) -> std::path::PathBuf {
        self.folder.path().join("work")
    }

    async fn run(&self, argv: &[&str]) -> Exit {
        let path = std::env::var_os("PATH").unwrap();
        let mut child = Spawn::new(argv.iter().copied(), self.work());
        child.env.insert("PATH".into(), path);
        // Where there is no tracer, the shim is tried twice.
        match self.by {
            By::Tracer if Shim::traces() => self.shim.trace(&mut child),
            _ => child.env.extend(self.shim.environment()),
        }
        child.start().unwrap().wait().await.unwrap()
    }

    /// A program in C, by its path below the folder; answers with the whole path. The compiler is not watched.
    async fn compile(&self, name: &str, source: &str, how: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.c"), source).unwrap();
        let program = self.folder.path().join(name).display().to_string();
        let mut compiler = Spawn::new([&["cc", "-w", "a.c", "-o", &program], how].concat(), folder.path());
        compiler.env.insert("PATH".into(), std::env::var_os("PATH").unwrap());
        assert_eq!(compiler.start().unwrap().wait().await.unwrap().code, Some(0));
        program
    }

    fn files(&self) -> replay::Files {
        replay::read(self.folder.path(), &["work"]).unwrap()
    }

    /// What `argv` does, once the record gives the very files that are there.
    async fn recorded(&self, argv: &[&str]) -> Vec<FileOp> {
        let before = self.files();
        self.shim.record(Detail::Content).unwrap();
        assert_eq!(self.run(argv).await.code, Some(0), "{argv:?}");
        assert_ne!(self.shim.attached().unwrap(), 0, "nobody was watched");
        let ops = self.shim.take().unwrap();
        assert_eq!(missed(&replay::replay(&before, &ops), &self.files()), [""; 0], "{argv:?}");
        ops
    }
}

fn shell(script: &str) -> [&str; 3] {
    ["sh", "-c", script]
}

#[rstest]
#[case::a_shell("echo hello > a; printf abc >> a; : > b; rm b")]
#[case::coreutils(
    "echo hello > a; cp a b; mv b c; ln a d; truncate -s 2 a; mkdir e; cat a c > e/f; dd if=/dev/zero of=g bs=100 count=3"
)]
#[case::a_new_name_in_place("echo 1 > a; echo 2 > a.new; mv a.new a; rm a; echo 3 > a")]
#[case::a_process_that_outlives_its_parent("(sleep 0; echo late > late) & wait")]
#[case::a_record_that_is_long("dd if=/dev/zero of=a bs=300000 count=40; dd if=/dev/zero of=b bs=5000000 count=1")]
#[case::several_at_once("for f in a b c d e; do dd if=/dev/zero of=$f bs=700 count=300 & done; wait")]
#[case::a_pipe_among_them("mkfifo p; cat p > a & echo hello > p; wait")]
#[case::names_that_wind("mkdir x; cd x; echo 1 > ../work-2; echo 2 > ./../x//y; rm ../x/y")]
#[tokio::test]
async fn what_a_program_does_to_files_is_recorded_whole(#[values(By::Shim, By::Tracer)] by: By, #[case] script: &str) {
    let watched = Watched::new(by);
    assert!(!watched.recorded(&shell(script)).await.is_empty());
}

#[rstest]
#[case("delete")]
#[case("truncate")]
#[case("persist")]
#[case("wal")]
#[tokio::test]
async fn what_sqlite_does_is_recorded_whole_in_each_journal_mode(
    #[values(By::Shim, By::Tracer)] by: By,
    #[case] journal: &str,
) {
    let watched = notes(by, journal);
    let ops = watched.recorded(&[&copy_notes(), "old.sqlite", "new.sqlite"]).await;
    let kinds = |axis| ops.iter().filter(|op| counts(op.kind, axis)).count();
    assert!(kinds(Axis::Op) > 5 && kinds(Axis::Write) > 2 && kinds(Axis::Lock) > 2);
}

#[rstest]
#[tokio::test]
async fn what_lies_elsewhere_is_not_seen(#[values(By::Shim, By::Tracer)] by: By) {
    let (watched, elsewhere) = (Watched::new(by), tempfile::tempdir().unwrap());
    let script = format!("cd {}; echo 1 > a; rm a", elsewhere.path().display());
    assert_eq!(watched.recorded(&shell(&script)).await, []);
}

#[rstest]
#[tokio::test]
async fn each_operation_can_be_the_last_until_none_is_left(#[values(By::Shim, By::Tracer)] by: By) {
    let watched = notes(by, "delete");
    let before = watched.files();
    let ops = watched.recorded(&[&copy_notes(), "old.sqlite", "new.sqlite"]).await;
    let (counted, mut struck) = (ops.iter().filter(|op| is_new(op) && counts(op.kind, Axis::Op)).count(), 0);
    loop {
        reset(&watched, &before);
        watched.shim.arm(&place(Axis::Op, struck + 1, false), "work/new.sqlite", FileAct::Kill).unwrap();
        let exit = watched.run(&[&copy_notes(), "old.sqlite", "new.sqlite"]).await;
        if watched.shim.struck().unwrap().is_none() {
            assert_eq!(exit.code, Some(0));
            break;
        }
        assert_eq!(exit.signal, Some(9), "operation {}", struck + 1);
        struck += 1;
    }
    assert_eq!(struck as usize, counted);
}

#[rstest]
#[case::full(FileAct::Full, Axis::Write, "write work/new.sqlite-journal")]
#[case::broken(FileAct::Error, Axis::Sync, "sync work/new.sqlite-journal")]
#[case::torn(FileAct::Torn, Axis::Write, "create work/new.sqlite-journal")]
#[case::no_unlink(FileAct::Error, Axis::Unlink, "unlink work/new.sqlite-journal")]
#[tokio::test]
async fn the_tool_is_told_what_the_disk_would_say(
    #[values(By::Shim, By::Tracer)] by: By,
    #[case] act: FileAct,
    #[case] axis: Axis,
    #[case] what: &str,
) {
    let watched = notes(by, "delete");
    watched.shim.arm(&place(axis, 1, true), "work/new.sqlite", act).unwrap();
    let exit = watched.run(&[&copy_notes(), "old.sqlite", "new.sqlite"]).await;
    assert_ne!(exit.code, Some(0));
    assert!(watched.shim.struck().unwrap().unwrap().ends_with(what.split_once(' ').unwrap().1));
}

#[rstest]
#[tokio::test]
async fn half_of_a_torn_write_is_there(#[values(By::Shim, By::Tracer)] by: By) {
    let watched = Watched::new(by);
    watched.shim.arm(&place(Axis::Write, 2, false), "work/a", FileAct::Torn).unwrap();
    assert_eq!(watched.run(&shell("printf 12345678 > a; echo after > b")).await.signal, Some(9));
    assert_eq!(watched.files(), replay::Files::from([("work/a".to_owned(), b"1234".to_vec().into())]));
}

#[rstest]
#[case::a_file_that_is_created(1, None)]
#[case::two_bytes(2, Some("write work/a"))]
#[case::a_single_byte(3, None)]
#[tokio::test]
async fn a_short_write_strikes_only_what_has_a_half(
    #[values(By::Shim, By::Tracer)] by: By,
    #[case] nth: u32,
    #[case] expected: Option<&str>,
) {
    let watched = Watched::new(by);
    watched.shim.arm(&place(Axis::Write, nth, false), "work/a", FileAct::Short).unwrap();
    watched.run(&shell("printf ab > a; printf c >> a")).await;
    assert_eq!(watched.shim.struck().unwrap().as_deref(), expected);
}

#[rstest]
#[tokio::test]
async fn a_program_without_a_single_operation_leaves_an_empty_record(#[values(By::Shim, By::Tracer)] by: By) {
    assert_eq!(Watched::new(by).recorded(&shell("true")).await, []);
}

/// Writes 5, 5 and, in three parts, 11 bytes.
const PARTS: &str = r#"
    #include <fcntl.h>
    #include <sys/uio.h>
    #include <unistd.h>
    int main(void) {
        struct iovec parts[3] = {{"one", 3}, {"two", 3}, {"three", 5}};
        int a = open("a", O_WRONLY | O_CREAT, 0644);
        write(a, "01234", 5), write(a, "56789", 5);
        return writev(a, parts, 3) != 11;
    }"#;

/// Each call that a C program has for it, once.
#[tokio::test]
async fn the_tracer_sees_what_the_shim_sees() {
    let mut records = Vec::new();
    for by in [By::Shim, By::Tracer] {
        let watched = Watched::new(by);
        let program = watched.compile("every-call", include_str!("files/every_call.c"), &[]).await;
        records.push(watched.recorded(&[&program]).await);
    }
    assert!(records[0].len() > 30, "{}", records[0].len());
    assert_eq!(records[1], records[0]);
}

/// Eight threads at once over the same bytes, 200 times: only the true order gives the file.
const THREADS: &str = r#"
    #include <fcntl.h>
    #include <pthread.h>
    #include <unistd.h>
    static pthread_barrier_t all;
    static void *work(void *which) {
        char bytes[64];
        int a = open("a", O_RDWR | O_CREAT, 0644);
        for (int i = 0; i < 64; i++) bytes[i] = (char)('a' + (long)which);
        for (int i = 0; i < 200; i++) {
            pthread_barrier_wait(&all);
            pwrite(a, bytes, sizeof bytes, i * sizeof bytes);
        }
        return 0;
    }
    int main(void) {
        pthread_t threads[8];
        pthread_barrier_init(&all, 0, 8);
        for (long i = 0; i < 8; i++) pthread_create(&threads[i], 0, work, (void *)i);
        for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
        return 0;
    }"#;

#[rstest]
#[tokio::test]
async fn threads_are_recorded_in_the_order_in_which_they_wrote(#[values(By::Shim, By::Tracer)] by: By) {
    let watched = Watched::new(by);
    let program = watched.compile("threads", THREADS, &["-pthread"]).await;
    assert!(watched.recorded(&[&program]).await.len() >= 1600);
}

#[rstest]
#[case::part_of_many(5, FileAct::Kill, "0123456789one")]
#[case::first_of_many(4, FileAct::Full, "0123456789")]
#[case::half_a_part(6, FileAct::Torn, "0123456789onetwoth")]
#[case::a_part_that_is_short(5, FileAct::Short, "0123456789onet")]
#[tokio::test]
async fn parts_of_a_write_are_writes_for_both(
    #[values(By::Shim, By::Tracer)] by: By,
    #[case] nth: u32,
    #[case] act: FileAct,
    #[case] left: &str,
) {
    let watched = Watched::new(by);
    watched.compile("work/parts", PARTS, &[]).await;
    watched.shim.arm(&place(Axis::Write, nth, false), "work/a", act).unwrap();
    assert_ne!(watched.run(&["./parts"]).await.code, Some(0));
    assert_eq!(String::from_utf8_lossy(&watched.files()["work/a"]), left);
}

fn is_new(op: &FileOp) -> bool {
    op.counted_path().starts_with("work/new.sqlite") && op.kind != OpKind::Lock
}

fn place(axis: Axis, nth: u32, forever: bool) -> Place {
    Place { endpoint: "file.new".into(), axis, fingerprint: None, nth, forever }
}

/// Two databases of notes, the new one empty and with this journal mode.
fn notes(by: By, journal: &str) -> Watched {
    let watched = Watched::new(by);
    let schema =
        "create table notebooks (id integer primary key, title text); create table notes (id text, body text);";
    for name in ["old.sqlite", "new.sqlite"] {
        let database = rusqlite::Connection::open(watched.work().join(name)).unwrap();
        database.pragma_update(None, "journal_mode", journal).unwrap();
        database.execute_batch(schema).unwrap();
    }
    let old = rusqlite::Connection::open(watched.work().join("old.sqlite")).unwrap();
    old.execute_batch("insert into notebooks values (1, 'one'); insert into notes select value, zeroblob(100) from json_each('[1,2,3]')").unwrap();
    watched
}

/// The files as they were, and nothing else.
fn reset(watched: &Watched, files: &replay::Files) {
    fs::remove_dir_all(watched.work()).unwrap();
    fs::create_dir(watched.work()).unwrap();
    for (name, bytes) in files {
        let path: &Path = &watched.folder.path().join(name);
        fs::write(path, &bytes[..]).unwrap();
    }
}
