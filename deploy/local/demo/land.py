"""The uploaded file of the story: a floor plan, drawn here."""

import io

from PIL import Image, ImageDraw


def floor_plan(version: int) -> bytes:
    """Draws a shop's floor plan as PNG; the second version carries the areas that the first one lacks."""
    image = Image.new("RGB", (640, 420), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 40, 600, 380), outline="black", width=4)
    draw.line((360, 40, 360, 260), fill="black", width=4)
    draw.line((360, 260, 600, 260), fill="black", width=4)
    if version > 1:
        for text, place in (("48.0 m2", (160, 200)), ("16.5 m2", (450, 140)), ("9.0 m2", (450, 310))):
            draw.text(place, text, fill="black")
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
