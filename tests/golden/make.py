"""Makes the golden model of the present format, once for each format; never again for one.

That of format 1 was written by the code of its time, which gave it neither symbols nor
preprocessing: it is no longer read, and holds no embedding.

python -m tests.golden.make, from the root of the checkout.
"""

from __future__ import annotations

import json
from pathlib import Path

from selfcell.api import EMBEDDING
from selfcell.tasks.model import FORMAT
from tests.cells import small_model, user_cells

if __name__ == "__main__":
    folder = Path(__file__).parent / f"model-{FORMAT}"
    model, cells = small_model(user_cells()), user_cells(6)
    model.save(folder)
    model.embed(cells)
    made = {
        "genes": list(cells.var_names),
        "counts": cells.X.toarray().astype(int).tolist(),
        "embedding": [[round(float(z), 6) for z in row] for row in cells.obsm[EMBEDDING]],
    }
    (folder / "embedding.json").write_text(json.dumps(made) + "\n", encoding="utf-8")
