from django.db import models

from accounts.tenancy import OwnedModel


class Origin(OwnedModel):
    """Which row here came of which document of an earlier system.

    It makes an import safe to kill and to repeat, and it outlives the row: what was
    erased here does not come back.
    """

    source = models.CharField(max_length=100)  # the earlier system, as it was named
    collection = models.CharField(max_length=40)
    source_id = models.CharField(max_length=200)
    object_id = models.UUIDField()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["source", "collection", "source_id"],
                name="one_origin_a_document",
            )
        ]

    def __str__(self):
        return f"{self.collection} {self.source_id} of {self.source}"
