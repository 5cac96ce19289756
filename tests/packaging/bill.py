"""Whether the bill of materials is what CycloneDX's own schema allows, and whether it would be found if it were not.

bill.py FILE
"""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(path: Path) -> int:
    text = path.read_text()
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    wrong = validator.validate_str(text)
    if wrong:
        print(f"{path} is not CycloneDX 1.6: {wrong}")
        return 1
    document = json.loads(text)
    references = {component["bom-ref"] for component in document["components"]}
    references.add(document["metadata"]["component"]["bom-ref"])
    named = {name for each in document["dependencies"] for name in [each["ref"], *each["dependsOn"]]}
    if named - references:
        print(f"depended on, but not in it: {sorted(named - references)}")
        return 1
    without = [each["name"] for each in document["components"] if each.get("purl") and not each.get("hashes")]
    if without:
        print(f"without a checksum: {without}")
        return 1
    if not validator.validate_str(text.replace('"licenses"', '"licences"', 1)):
        print("a misspelt field was not found")
        return 1
    print(f"{len(document['components'])} components, as CycloneDX 1.6 wants them")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
