//! Redaction: secrets are found in every encoding, however the stream is cut.
#![allow(clippy::unwrap_used)] // the helpers of tests are tests

use proptest::collection::vec;
use proptest::prelude::*;
use rehearsal::evidence::{self, Bundle, Hit, Redactor};
use rstest::rstest;
use std::fs;

const SECRET: &str = "p\"/s&s <w>'\u{e9}";

#[rstest]
#[case::raw("x p\"/s&s <w>'\u{e9} y", "x *** y")]
#[case::percent_upper("p%22%2Fs%26s%20%3Cw%3E%27%C3%A9!", "***!")]
#[case::percent_lower_and_plus("p%22%2fs%26s+%3cw%3e'%c3%a9!", "***!")]
#[case::percent_of_everything("%70%22%2f%73%26%73%20%3c%77%3e%27%c3%a9", "***")]
#[case::json(r#"{"k":"p\"/s&s <w>'é"}"#, r#"{"k":"***"}"#)]
#[case::json_ascii(r#"{"k":"p\"\/s\u0026s \u003cw\u003e'\u00E9"}"#, r#"{"k":"***"}"#)]
#[case::xml("<a b=\"p&quot;/s&amp;s &lt;w&gt;&apos;\u{e9}\"/>", "<a b=\"***\"/>")]
#[case::xml_numbers("p&#34;/s&#38;s &#x3c;w&#x3E;&#39;&#233;", "***")]
#[case::sql("'p\"/s&s <w>''\u{e9}'", "'***'")]
#[case::hex("\\x70222f73267320 70222f732673203c773e27c3a9", "\\x70222f73267320 ***")]
#[case::hex_upper("70222F732673203C773E27C3A9", "***")]
fn a_known_secret_is_found_in_every_encoding(#[case] text: &str, #[case] masked: &str) {
    let redactor = Redactor::new([SECRET]);
    assert_eq!(String::from_utf8(redactor.mask(text.as_bytes())).unwrap(), masked);
    assert_eq!(redactor.find(text.as_bytes()).len(), 1);
    assert_eq!(redactor.find(masked.as_bytes()), [0usize; 0]);
}

/// `printf '%s' <prefix>hunter2hunter<suffix> | base64`, and with `tr '+/' '-_'`.
#[rstest]
#[case("aHVudGVyMmh1bnRlcg==")]
#[case("Omh1bnRlcjJodW50ZXI6")]
#[case("dTpodW50ZXIyaHVudGVyOjo=")]
fn a_known_secret_is_found_in_base64_whatever_stands_around_it(#[case] encoded: &str) {
    let masked = String::from_utf8(Redactor::new(["hunter2hunter"]).mask(encoded.as_bytes())).unwrap();
    assert!(masked.contains("***") && masked.len() <= 10, "{masked}");
}

#[rstest]
#[case("postgres://u:pa:ss@w@host:5432/db?x=1", "postgres://u:***@host:5432/db?x=1")]
#[case("postgres://u@host:5432/db and http://host:80/a@b", "postgres://u@host:5432/db and http://host:80/a@b")]
#[case("postgres://u:x@h", "postgres://u:***@h")]
#[case("host=h password=abc dbname=d", "host=h password=*** dbname=d")]
#[case("PGPASSWORD=abc psql", "PGPASSWORD=*** psql")]
#[case("password = 'a b' x", "password = '***' x")]
#[case(r#"{"password":"a b","n":1}"#, r#"{"password":"***","n":1}"#)]
#[case(r#"{"argv":"password=\"a b\" x"}"#, r#"{"argv":"password=\"***\" x"}"#)]
#[case(r#"{"log":"{\"password\": \"a b\"}"}"#, r#"{"log":"{\"password\": \"***\"}"}"#)]
#[case("alter role r PASSWORD 'abc';", "alter role r PASSWORD '***';")]
#[case("password must be changed; password: none", "password must be changed; password: none")]
#[case("password=", "password=")]
#[case("password=abc", "password=***")]
#[case(
    "a-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb",
    "a-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nb"
)]
#[case("-----BEGIN PRIVATE KEY-----\nMII", "-----BEGIN PRIVATE KEY-----***")]
#[case("-----BEGIN CERTIFICATE-----\nMII", "-----BEGIN CERTIFICATE-----\nMII")]
fn what_looks_like_a_secret_is_masked(#[case] text: &str, #[case] masked: &str) {
    let redactor = Redactor::new([] as [&str; 0]);
    assert_eq!(String::from_utf8(redactor.mask(text.as_bytes())).unwrap(), masked);
    assert_eq!(String::from_utf8(redactor.mask(masked.as_bytes())).unwrap(), masked, "masking twice changes nothing");
    assert_eq!(redactor.find(masked.as_bytes()), [0usize; 0], "what is masked is no hit");
}

#[test]
fn overlapping_secrets_leave_nothing_of_either() {
    let redactor = Redactor::new(["abcd", "cdefgh", "abc"]);
    assert_eq!(redactor.mask(b"xabcdefghy"), b"x***y");
    assert_eq!(format!("{redactor:?}"), "Redactor");
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        SECRET,
        "p\"/s&s <w>",
        "p%22%2fs%26s+%3cw%3e'%c3%a9",
        "70222f732673203c773e27c3a9",
        "&",
        "%",
        "\\",
        "\n",
        " ",
        "'",
        "\"",
        "passw",
        "password",
        "=",
        ":",
        "abc",
        "postgres://",
        "u:x",
        "@",
        "/",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "-----END ",
        "--",
    ]);
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn masking_does_not_depend_on_the_chunks(text in pieces(), sizes in vec(1usize..9, 1..6)) {
        let redactor = Redactor::new([SECRET, "abc:"]);
        let (mut filter, mut rest, mut parts) = (redactor.filter(), text.as_bytes(), Vec::new());
        for size in sizes.iter().cycle() {
            let (chunk, later) = rest.split_at((*size).min(rest.len()));
            parts.extend(filter.push(chunk));
            rest = later;
            if rest.is_empty() { break; }
        }
        parts.extend(filter.finish());
        let whole = redactor.mask(text.as_bytes());
        prop_assert_eq!(String::from_utf8_lossy(&parts), String::from_utf8_lossy(&whole));
        prop_assert!(!String::from_utf8_lossy(&whole).contains(SECRET));
    }
}

#[test]
fn a_scan_names_the_file_and_the_offset() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("cases")).unwrap();
    fs::write(dir.path().join("cases/a.log"), "ok hunter2hunter, hunter2hunter").unwrap();
    fs::write(dir.path().join("b.log"), "postgres://u:***@h, password=***, postgres://u:pw@h").unwrap();
    let hits = evidence::scan(dir.path(), &Redactor::new(["hunter2hunter"])).unwrap();
    let found: Vec<(String, u64)> =
        hits.iter().map(|hit| (hit.file.strip_prefix(dir.path()).unwrap().display().to_string(), hit.offset)).collect();
    assert_eq!(found, [("b.log".to_owned(), 47), ("cases/a.log".to_owned(), 3), ("cases/a.log".to_owned(), 18)]);
}

#[test]
fn a_bundle_masks_what_it_finds_and_spares_the_journal() {
    let out = tempfile::tempdir().unwrap();
    let bundle = Bundle::create(out.path()).unwrap();
    let key = r#"{"a":"-----BEGIN PRIVATE KEY-----\nMII","b":1}"#;
    bundle.write("claims/run.json", key.as_bytes()).unwrap();
    bundle.write("events.jsonl", b"hunter2hunter").unwrap();

    let hits = bundle.mask_secrets(&Redactor::new(["hunter2hunter"])).unwrap();
    let hit = |file: &str, offset| Hit { file: file.into(), offset };
    assert_eq!(hits, [hit("claims/run.json", 33), hit("events.jsonl", 0)]);
    let read = |file: &str| fs::read_to_string(bundle.root().join(file)).unwrap();
    assert_eq!(read("claims/run.json"), r#"{"a":"-----BEGIN PRIVATE KEY-----***","b":1}"#);
    assert_eq!(read("events.jsonl"), "hunter2hunter");
}

/// The encodings as other people's code writes them.
fn encodings(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let percent = |keep: &str| -> String {
        let one = |byte: u8| match byte.is_ascii_alphanumeric() || keep.as_bytes().contains(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        secret.bytes().map(one).collect()
    };
    let xml = secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![secret.to_owned(), json[1..json.len() - 1].to_owned(), percent("-._~"), percent("-._~/+'"), xml, hex]
}

proptest! {
    #[test]
    fn no_encoding_of_any_secret_gets_through(
        secret in "[a-zA-Z0-9 /&%+\"'<\\\\\u{e9}\u{1f600}]{4,12}",
        before in "[a-z&%\\\\ ]{0,6}",
    ) {
        let redactor = Redactor::new([&secret]);
        for encoded in encodings(&secret) {
            let text = format!("{before}{encoded}.");
            let masked = String::from_utf8_lossy(&redactor.mask(text.as_bytes())).into_owned();
            prop_assert!(masked.contains("***") && !masked.contains(&encoded), "{text} gave {masked}");
            prop_assert!(!redactor.find(text.as_bytes()).is_empty(), "{text}");
            prop_assert_eq!(redactor.find(masked.as_bytes()), [0usize; 0], "{}", masked);
        }
    }
}
