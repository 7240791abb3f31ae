"""Keys: parts and their types stay apart, and torch is not loaded for them."""

import subprocess
import sys

from selfcell.keys import derive, generator


def test_derive_separates_parts_and_types():
    assert derive("a", "b") != derive("ab")
    assert derive(1) != derive("1")
    assert generator("x", 1).integers(1 << 30) == generator("x", 1).integers(1 << 30)


def test_keys_load_without_torch():
    check = "import sys, selfcell.keys, selfcell.stats.arms; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)
