//! Files of another kind than they are read as.

use expect_test::{Expect, expect};
use weir_formats::{Format, infer};

use crate::support::{decode, file, schema};

#[test]
fn files_of_another_kind_are_named() {
    let check = |format: Format, begin: &[u8], expect: Expect| {
        let text = [begin, b"and more, for sixteen bytes"].concat();
        let opened = decode(format, &text, Some(&schema("a i64?")), 10).map(|_| ()).unwrap_err().to_string();
        expect.assert_eq(&opened);
        assert_eq!(infer(format, file(&text), 10).unwrap_err().to_string(), opened);
    };
    check(
        Format::JsonLines,
        b"\x1f\x8b\x08",
        expect![
            "the file is compressed by gzip and cannot be read as json_lines: unpack it first, for example with `gunzip`"
        ],
    );
    check(
        Format::Csv,
        b"\x28\xb5\x2f\xfd",
        expect!["the file is compressed by zstd and cannot be read as csv: unpack it first, for example with `unzstd`"],
    );
    check(
        Format::Parquet,
        b"\x1f\x8b\x08",
        expect![
            "the file is compressed by gzip and cannot be read as parquet: unpack it first, for example with `gunzip`"
        ],
    );
    check(Format::Csv, b"\xff\xfea\0", expect!["the file is UTF-16 and cannot be read as csv: save it as UTF-8"]);
    check(
        Format::JsonLines,
        b"PAR1",
        expect!["the file is a Parquet file and cannot be read as json_lines: set the format to `parquet`"],
    );
    check(
        Format::Csv,
        b"ARROW1",
        expect!["the file is an Arrow IPC file and cannot be read as csv: set the format to `arrow_ipc`"],
    );
    check(
        Format::JsonLines,
        b"PK\x03\x04",
        expect![
            "the file is a zip archive and cannot be read as json_lines: unpack it first, for example with `unzip`"
        ],
    );
}
