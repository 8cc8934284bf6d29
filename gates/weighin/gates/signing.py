"""The signing library's names in one place, because its public module does not export them.

Importing this module costs what securesystemslib and cryptography cost: import it inside the
function that signs or verifies, or for types only.
"""

from securesystemslib.signer._crypto_signer import CryptoSigner
from securesystemslib.signer._key import Key
from securesystemslib.signer._signer import Signer

__all__ = ["CryptoSigner", "Key", "Signer"]
