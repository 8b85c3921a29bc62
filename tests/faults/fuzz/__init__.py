"""Whatever may be sent to the product: nothing that the contract does not name may come back, and no secret may leak."""
