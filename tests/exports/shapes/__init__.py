"""The shapes of exports, a file for each program or kind of program; none knows what the loader understands."""

from exports.shape import Shape
from exports.shapes import (
    bitrix,
    dynamics,
    hubspot,
    languages,
    localized,
    open_source,
    pipedrive,
    salesforce,
    sheets,
    smaller,
    workspaces,
    zoho,
)

SHAPES: tuple[Shape, ...] = (
    *hubspot.SHAPES,
    *salesforce.SHAPES,
    *dynamics.SHAPES,
    *pipedrive.SHAPES,
    *zoho.SHAPES,
    *smaller.SHAPES,
    *bitrix.SHAPES,
    *open_source.SHAPES,
    *workspaces.SHAPES,
    *localized.SHAPES,
    *sheets.SHAPES,
    *languages.SHAPES,
)
BY_NAME = {shape.name: shape for shape in SHAPES}
