import gzip
import hashlib

import pyarrow as pa
import pytest

CSV = b"a,b\n1,x\n2,y\n"
GZIP = gzip.compress(CSV, mtime=0)
ZSTD = pa.compress(CSV, codec="zstd", asbytes=True)


@pytest.mark.parametrize(
    ("content", "compression"),
    [(CSV, None), (GZIP, "gzip"), (ZSTD, "zstd"), (GZIP, None)],
)
def test_the_hash_is_of_the_decompressed_bytes(accept, content, compression):
    ingested = accept(content, compression=compression)
    assert ingested.sha256 == hashlib.sha256(CSV).hexdigest()
    assert (ingested.bytes, ingested.rows) == (len(CSV), 2)


@pytest.mark.parametrize(
    ("content", "compression", "code"),
    [
        (GZIP * 2, "gzip", "gzip_members"),
        (GZIP + b"x", "gzip", "gzip_members"),
        (GZIP[:-3], "gzip", "gzip_truncated"),
        (CSV, "gzip", "gzip_invalid"),
        (CSV, "zstd", "zstd_invalid"),
    ],
)
def test_damaged_compression_is_refused(refuse, content, compression, code):
    assert refuse(content, compression=compression).code == code


def test_a_bomb_is_refused_by_its_ratio_before_it_is_unpacked(refuse):
    bomb = gzip.compress(b"a\n" + b"1\n" * 15_000_000)
    assert len(bomb) < 100_000
    fault = refuse(bomb, compression="gzip", rows=1 << 30, cells=1 << 30)
    assert fault.code == "compression_ratio"


def test_a_compressed_parquet_file_is_bounded_too(refuse):
    assert refuse(gzip.compress(bytes(10 << 20)), "parquet", "gzip").code == "compression_ratio"
