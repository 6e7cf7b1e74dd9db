"""Every kind of image file against Pillow and against the samples it was made of; and damaged ones."""

import io
import logging
import os
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo.datasets
from zoo.datasets import folder, images, tfds
from zoo.errors import RequestError

SIDE = 12
# (first row, first column, step of the rows, step of the columns) of Adam7's passes, PNG specification section 8.2.
_ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def on_white(rgba):
    """RGBA of 0 to 255 in float64 → RGB over white, uint8."""
    colours, alpha = rgba[..., :3].astype(np.float64), rgba[..., 3:] / 255
    return np.rint(colours * alpha + 255 * (1 - alpha)).astype(np.uint8)


def by_pillow(encoded):
    with Image.open(io.BytesIO(encoded)) as image:
        return on_white(np.asarray(image.convert("RGBA")))


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(rng, channels):
    return Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, channels), np.uint8).squeeze())


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(samples, bits, colour_type, palette=b"", transparent=b"", interlaced=False):
    """A PNG file of samples [height, width, channels]; Pillow writes few of the kinds there are."""
    height, width, _ = samples.shape
    rows = b""
    for y, x, down, right in _ADAM7 if interlaced else [(0, 0, 1, 1)]:
        for row in samples[y::down, x::right]:
            if row.size:
                content = row.astype(">u2").tobytes() if bits == 16 else packed_row(row.ravel(), bits)
                rows += b"\0" + content
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlaced)
    chunks = [(b"IHDR", header), (b"PLTE", palette), (b"tRNS", transparent), (b"IDAT", zlib.compress(rows))]
    return (
        b"\x89PNG\r\n\x1a\n"
        + b"".join(png_chunk(kind, content) for kind, content in chunks if content)
        + png_chunk(b"IEND", b"")
    )


def packed_row(samples, bits):
    """Samples [n] of 1 to 8 bits, the first in the highest bits → bytes."""
    return np.packbits(np.unpackbits(samples.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]).tobytes()


def pngs(rng):
    """{name: (file, RGB)}, the colours worked out from the samples by the PNG specification."""
    files = {}
    for interlaced in (False, True):
        end = "_interlaced.png" if interlaced else ".png"

        def add(name, samples, bits, colour_type, rgba, palette=b"", transparent=b"", interlaced=interlaced, end=end):
            files[name + end] = png(samples, bits, colour_type, palette, transparent, interlaced), on_white(rgba)

        for bits in (1, 2, 4, 8, 16):
            grey = rng.integers(0, 2**bits, (SIDE, SIDE, 1))
            # Sixteen bits are cut to the upper eight, as Pillow does; fewer are stretched.
            level = grey >> 8 if bits == 16 else grey * (255 // (2**bits - 1))
            key = grey[0, 0]
            opaque = np.full_like(level, 255)
            add(f"grey{bits}", grey, bits, 0, np.concatenate([level] * 3 + [opaque], -1))
            hidden = np.where(grey == key, 0, 255)
            rgba = np.concatenate([level] * 3 + [hidden], -1)
            add(f"grey{bits}_key", grey, bits, 0, rgba, transparent=struct.pack(">H", key[0]))
            if bits <= 8:
                table = rng.integers(0, 256, (2**bits, 4))
                colours = table[:, :3].astype(np.uint8).tobytes()
                rgba = table[grey[..., 0]]
                add(f"palette{bits}_alpha", grey, bits, 3, rgba, colours, table[:, 3].astype(np.uint8).tobytes())
                # The alpha that TensorFlow makes up for opaque images of few bits, here the file's own.
                faint = np.concatenate([rgba[..., :3], np.full_like(grey, 2**bits - 1)], -1)
                add(f"palette{bits}_faint", grey, bits, 3, faint, colours, bytes([2**bits - 1] * 2**bits))
                add(f"palette{bits}", grey, bits, 3, np.concatenate([rgba[..., :3], opaque], -1), colours)
            if bits >= 8:
                samples = rng.integers(0, 2**bits, (SIDE, SIDE, 4))
                levels = samples >> (bits - 8)
                add(f"rgba{bits}", samples, bits, 6, levels)
                add(f"rgb{bits}", samples[..., :3], bits, 2, np.concatenate([levels[..., :3], opaque], -1))
                key = samples[0, 0, :3]
                hidden = np.where((samples[..., :3] == key).all(-1, keepdims=True), 0, 255)
                rgba = np.concatenate([levels[..., :3], hidden], -1)
                add(f"rgb{bits}_key", samples[..., :3], bits, 2, rgba, transparent=struct.pack(">HHH", *key))
                rgba = np.concatenate([levels[..., :1]] * 3 + [levels[..., 3:]], -1)
                add(f"grey{bits}_alpha", samples[..., [0, 3]], bits, 4, rgba)
    return files


def bmp(rng, bits, *, compression=0, top_down=False, masks=b"", rows=None):
    """A Windows bitmap with random pixels and palette."""
    width = -(-SIDE * bits // 32) * 4
    rows = rng.integers(0, 256, (SIDE, width), np.uint8).tobytes() if rows is None else rows
    palette = rng.integers(0, 256, 4 * 2**bits, np.uint8).tobytes() if bits <= 8 else b""
    start = 54 + len(masks) + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, SIDE, -SIDE if top_down else SIDE, 1, bits, compression, len(rows), 0, 0,
                       len(palette) // 4, 0)  # fmt: skip
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start) + info + masks + palette + rows


def others(rng):
    """{name: file} of BMP, GIF and WebP, which decode exactly."""
    files = {f"bmp{bits}.bmp": bmp(rng, bits) for bits in (1, 4, 8, 16, 24, 32)}
    files |= {f"bmp{bits}_top_down.bmp": bmp(rng, bits, top_down=True) for bits in (1, 4, 8, 24)}
    files["bmp16_565.bmp"] = bmp(rng, 16, compression=3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    files["bmp32_masks.bmp"] = bmp(rng, 32, compression=3, masks=struct.pack("<III", 0xFF << 24, 0xFF << 16, 0xFF << 8))
    runs = b"".join(bytes([SIDE, value, 0, 0]) for value in range(SIDE)) + b"\0\1"
    files["bmp8_runs.bmp"] = bmp(rng, 8, compression=1, rows=runs)
    files["bmp8_grey.bmp"] = saved(noise(rng, 1), "BMP")
    os2 = rng.integers(0, 256, 768 + SIDE * SIDE, np.uint8).tobytes()
    files["bmp8_os2.bmp"] = struct.pack("<2sIHHIIHHHH", b"BM", 26 + len(os2), 0, 0, 794, 12, SIDE, SIDE, 1, 8) + os2

    frames = [noise(rng, 3).quantize(64) for _ in range(3)]
    files["gif.gif"] = saved(frames[0], "GIF", interlace=0)
    files["gif_interlaced.gif"] = saved(frames[0], "GIF", interlace=1)
    key = int(np.asarray(frames[0])[0, 0])
    files["gif_key.gif"] = saved(frames[0], "GIF", transparency=key)
    files["gif_frames.gif"] = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=2)
    files["gif_frames_key.gif"] = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], transparency=key)
    smaller = bytearray(saved(frames[0].crop((0, 0, SIDE - 3, SIDE - 2)), "GIF"))
    smaller[6:10] = struct.pack("<HH", SIDE, SIDE)  # the canvas, larger than its only frame
    files["gif_smaller.gif"] = bytes(smaller)
    for lossless in (True, False):
        name, options = f"webp_{'lossless' if lossless else 'lossy'}", {"lossless": lossless, "exact": True}
        for channels, kind in ((1, "grey"), (3, "rgb"), (4, "rgba")):
            frames = [noise(rng, channels) for _ in range(3)]
            files[f"{name}_{kind}.webp"] = saved(frames[0], "WEBP", **options)
            files[f"{name}_{kind}_frames.webp"] = saved(
                frames[0], "WEBP", save_all=True, append_images=frames[1:], **options
            )
    return files


def jpegs(rng):
    """{name: file}."""
    ramp = np.linspace(0, 255, SIDE).astype(np.uint8)
    smooth = Image.fromarray(np.stack([*np.meshgrid(ramp, ramp), np.full((SIDE, SIDE), 90, np.uint8)], -1))
    files = {}
    for quality in (75, 98):
        for progressive in (False, True):
            for subsampling in (0, 1, 2):
                options = {"quality": quality, "progressive": progressive, "subsampling": subsampling}
                end = f"{quality}{'_progressive' * progressive}_{subsampling}.jpg"
                files[f"noise{end}"] = saved(noise(rng, 3), "JPEG", **options)
                files[f"smooth{end}"] = saved(smooth, "JPEG", **options)
            for mode in ("L", "CMYK"):
                options = {"quality": quality, "progressive": progressive}
                files[f"{mode}{quality}{'_progressive' * progressive}.jpg"] = saved(
                    smooth.convert(mode), "JPEG", **options
                )
    files["rgb90.jpg"] = saved(smooth, "JPEG", quality=90, keep_rgb=True)
    cmyk = bytearray(files["CMYK75.jpg"])
    cmyk[cmyk.index(b"Adobe") + 11] = 2  # the same numbers, said to be YCCK
    files["ycck75.jpg"] = bytes(cmyk)
    return files


@pytest.fixture(scope="module")
def kinds():
    """{name: (file, RGB)} of every kind."""
    rng = np.random.default_rng(0)
    plain = {**others(rng), **jpegs(rng)}
    return pngs(rng) | {name: (encoded, by_pillow(encoded)) for name, encoded in plain.items()}


def write(files, directory):
    for name, encoded in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded)


def test_every_kind_of_image_gives_its_pixels(kinds, tmp_path):
    write({f"train/{name}": encoded for name, (encoded, _) in kinds.items()}, tmp_path)
    write({"test/1.png": kinds["rgb8.png"][0]}, tmp_path)
    data = zoo.datasets.load(f"folder:{tmp_path}", image_size=SIDE)
    assert data.num_examples("train") == len(kinds) >= 100
    found, _ = data.arrays("train")
    found = np.rint((found.astype(np.float64) + 1) * 127.5)
    for index, pixels in zip(data._evaluation_order("train", len(kinds)), found):
        name = data.paths["train"][index]
        wrong = np.abs(pixels - kinds[name][1]).max()
        # Both libraries decode JPEG files with libjpeg. Only YCCK they turn into RGB each in a way of their own.
        assert wrong <= (8 if name.startswith("ycck") else 0), name


def test_grey_is_wanted_of_every_kind(kinds, tmp_path):
    write({f"train/{name}": encoded for name, (encoded, _) in kinds.items() if not name.endswith("jpg")}, tmp_path)
    write({"test/1.png": kinds["rgb8.png"][0]}, tmp_path)
    data = zoo.datasets.load(f"folder:{tmp_path}", image_size=SIDE, channels=1)
    found, _ = data.arrays("train")
    for index, pixels in zip(data._evaluation_order("train", len(found)), found):
        name = data.paths["train"][index]
        luma = kinds[name][1] @ [0.2989, 0.587, 0.114]  # ITU-R BT.601, as tf.image.rgb_to_grayscale has it
        np.testing.assert_allclose((pixels[..., 0] + 1) * 127.5, luma, atol=1, err_msg=name)


def test_grey_is_wanted_of_every_jpeg(kinds, tmp_path):
    files = {name: encoded for name, (encoded, _) in kinds.items() if name.endswith("jpg")}
    assert any(name.startswith("CMYK") for name in files) and any(name.startswith("ycck") for name in files)
    write({f"train/{name}": encoded for name, encoded in files.items()}, tmp_path)
    write({"test/1.png": kinds["rgb8.png"][0]}, tmp_path)
    data = zoo.datasets.load(f"folder:{tmp_path}", image_size=SIDE, channels=1)
    found, _ = data.arrays("train")
    for index, pixels in zip(data._evaluation_order("train", len(found)), found):
        name = data.paths["train"][index]
        with Image.open(io.BytesIO(files[name])) as image:
            # Of CMYK and of files that hold RGB, grey is that of their colours; of others libjpeg gives the luma.
            luma = image.mode != "CMYK" and not name.startswith("rgb")
            expected = image.convert("L") if not luma else Image.open(io.BytesIO(files[name]))
            if luma:
                expected.draft("L", image.size)
            expected = np.asarray(expected.convert("L"), np.float64)
        wrong = np.abs(np.rint((pixels[..., 0].astype(np.float64) + 1) * 127.5) - expected).max()
        assert wrong <= (8 if name.startswith("ycck") else 1), (name, wrong)


def test_prepared_data_sets_hold_images_of_every_kind(kinds):
    """TensorFlow Datasets keeps the bytes of the files that a data set was made of."""

    class Builder:
        def as_dataset(self, **options):
            return tf.data.Dataset.from_tensor_slices({"image": [encoded for encoded, _ in kinds.values()]})

    def prepared(builder):
        every = {"train": "train"}, {"train": len(kinds)}
        return tfds.TfdsDataset("tfds:kinds", (SIDE, SIDE, 3), None, builder, "image", None, *every, SIDE)

    found, labels = prepared(Builder()).arrays("train")
    assert labels is None
    for (name, (_, wanted)), pixels in zip(kinds.items(), found):
        np.testing.assert_allclose((pixels + 1) * 127.5, wanted, atol=8 if "ycck" in name else 0.01, err_msg=name)

    Builder.as_dataset = lambda self, **options: tf.data.Dataset.from_tensors({"image": b"II*\0, a TIFF"})
    with pytest.raises(RequestError, match=r"'tfds:kinds': an image of train cannot be decoded \(cannot identify"):
        prepared(Builder()).arrays("train")


def test_a_palette_is_never_taken_for_grey():
    with pytest.raises(tf.errors.InvalidArgumentError):
        images.decode(tf.constant(bmp(np.random.default_rng(0), 8)), None, 3)


def damaged(encoded, rng):
    """The file cut short, with a byte changed, with a run of bytes changed, and with a run left out."""
    at = int(rng.integers(len(encoded) // 4, len(encoded)))
    yield encoded[:at]
    yield encoded[:at] + bytes([encoded[at] ^ 0x55]) + encoded[at + 1 :]
    yield encoded[:at] + rng.bytes(20) + encoded[at + 20 :]
    yield encoded[:at] + encoded[at + 7 :]


def test_what_passes_the_check_can_be_decoded(kinds):
    """Nothing that training could not read passes; whether all that training could read passes, damage decides."""
    rng = np.random.default_rng(1)
    decode = tf.function(lambda encoded: images.decode(encoded, 8, 3), input_signature=[tf.TensorSpec([], tf.string)])
    refused = 0
    for name, (whole, _) in kinds.items():
        for encoded in damaged(whole, rng):
            try:
                _, converted, _ = folder.inspect(encoded)
            except Exception:
                refused += 1
            else:
                assert decode(tf.constant(converted or encoded)).shape == (8, 8, 3), name
    assert refused > 2 * len(kinds)  # of four; what is left was not damaged for the decoders


def test_jpegs_damaged_in_the_middle_are_refused():
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(60):
        tiles = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        encoded = saved(tiles.resize((128, 128), Image.Resampling.BICUBIC), "JPEG", quality=90)
        assert folder.inspect(encoded) == (1, None, 128)
        middle = len(encoded) // 2
        try:
            folder.inspect(encoded[:middle] + bytes(512) + encoded[middle + 512 :])
        except ValueError as e:
            refused += 1
            assert "JPEG" in str(e)
    # A decoder that falls into step again behind the damage, with as many code words as there should be, sees nothing.
    assert refused >= 54


def test_a_png_file_is_held_to_its_checksums(kinds):
    encoded = bytearray(kinds["rgb8.png"][0])
    folder.inspect(bytes(encoded))
    encoded[encoded.index(b"IEND") - 5] ^= 1  # the last byte of that of the pixels
    with pytest.raises(SyntaxError, match="checksum"):
        folder.inspect(bytes(encoded))


def test_photographs_of_every_kind_are_turned_upright(tmp_path):
    tiles = np.zeros((SIDE, SIDE, 3), np.uint8)
    tiles[:6], tiles[6:, :6] = 200, 100
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(tiles).transpose(Image.Transpose.ROTATE_90)
    for kind, options in {"JPEG": {"quality": 98}, "PNG": {}, "WEBP": {"lossless": True}}.items():
        encoded = saved(stored, kind, exif=exif, **options)
        write({f"train/{kind}.jpg": encoded, f"test/{kind}.jpg": encoded}, tmp_path)
    found, _ = zoo.datasets.load(f"folder:{tmp_path}", image_size=SIDE).arrays("train")
    np.testing.assert_allclose((found + 1) * 127.5, np.stack([tiles] * 3), atol=20)


@pytest.fixture
def plain(kinds, tmp_path):
    """A folder of 20 sound images."""
    write({f"{i:02}.png": kinds["rgb8.png"][0] for i in range(20)}, tmp_path)
    return tmp_path


def test_damaged_images_stop_by_name_or_are_left_out_and_counted(plain, kinds, caplog):
    encoded = bytearray(kinds["rgba8.png"][0])
    encoded[200:300] = bytes(100)  # between two sound ends
    write({"03.png": bytes(encoded), "05.png": b"", "07.jpg": b"<html>not found</html>"}, plain)
    source = f"folder:{plain}"
    with pytest.raises(RequestError, match=r"3 of 21 images are damaged, the first .*03.png \(.*\); .*skip") as caught:
        zoo.datasets.load(source, image_size=SIDE)
    assert "\n" not in str(caught.value)
    with caplog.at_level(logging.WARNING):
        data = zoo.datasets.load(source, image_size=SIDE, on_corrupt="skip")
    assert "3 of 21 images are damaged and left out, the first" in caplog.text
    used = {name for split in data.splits for name in data.paths[split]}
    assert used == {f"{i:02}.png" for i in range(20)} - {"03.png", "05.png"}
    assert zoo.datasets.load(source, image_size=SIDE, on_corrupt="skip").paths == data.paths


def test_damage_that_comes_later_stops_and_nothing_takes_its_place(plain):
    source = f"folder:{plain}"
    data = zoo.datasets.load(source, image_size=SIDE, on_corrupt="skip")
    path = plain / data.paths["train"][0]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(RequestError) as caught:
        data.arrays("train")
    assert str(caught.value) == f"data.source '{source}': cannot decode {path}, sound when the folder was opened"
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        list(data.batches("train", 18, seed=0).take(2))
    assert str(path) in str(zoo.datasets.undecodable(caught.value))


def test_a_full_disk_is_not_taken_for_damage(plain, kinds, monkeypatch):
    write({"20.gif": kinds["gif.gif"][0]}, plain)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.tempfile, "mkstemp", full)
    with pytest.raises(RequestError, match=r"converted.*No space left on device"):
        zoo.datasets.load(f"folder:{plain}", image_size=SIDE, on_corrupt="skip")


def test_a_named_pipe_is_never_opened(plain):
    for make in (lambda path: path.symlink_to(os.devnull), os.mkfifo):  # a device, which at least would end
        (plain / "99.png").unlink(missing_ok=True)
        make(plain / "99.png")
        with pytest.raises(RequestError, match=r"99.png \(not a regular file\)"):
            zoo.datasets.load(f"folder:{plain}", image_size=SIDE)
    data = zoo.datasets.load(f"folder:{plain}", image_size=SIDE, on_corrupt="skip")
    assert sum(map(data.num_examples, data.splits)) == 20


def test_links_are_followed_and_loops_refused(plain):
    (plain / "more").mkdir()
    (plain / "below").symlink_to(plain / "more")
    (plain / "more" / "linked.png").symlink_to(plain / "00.png")
    data = zoo.datasets.load(f"folder:{plain}", image_size=SIDE)
    assert sum(map(data.num_examples, data.splits)) == 22
    (plain / "more" / "up").symlink_to(plain)
    with pytest.raises(RequestError, match=r"/up lies within itself, by a symbolic link") as caught:
        zoo.datasets.load(f"folder:{plain}", image_size=SIDE)
    assert "\n" not in str(caught.value)
    (plain / "more" / "up").unlink()
    (plain / "itself.png").symlink_to(plain / "itself.png")
    with pytest.raises(RequestError, match=r"1 of 23 images are damaged, the first .*itself.png \(Too many levels"):
        zoo.datasets.load(f"folder:{plain}", image_size=SIDE)


def test_a_folder_that_cannot_be_listed_is_named(plain, monkeypatch):
    (plain / "closed").mkdir()
    listing = os.scandir

    def scandir(path):  # what another user than root meets
        if os.path.basename(os.path.normpath(path)) == "closed":
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    monkeypatch.setattr(folder.os, "scandir", scandir)
    with pytest.raises(RequestError, match=r"closed/? cannot be listed \(Permission denied\)"):
        zoo.datasets.load(f"folder:{plain}", image_size=SIDE)
