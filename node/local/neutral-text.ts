/**
 * Plain English about nothing in particular, written for this project and under its licence: what a training on other data
 * makes a model forget shows in its loss on this. It belongs to no task and to no data set that a model is tuned on.
 */
export const NEUTRAL_TEXT: readonly string[] = [
  "The road follows the river for a while and then turns north, where the first houses of the village stand.",
  "She put the letter back into the drawer, closed it, and looked out at the garden for a long time.",
  "In winter the lake is frozen, and children cross it on their way to school.",
  "The baker opens at six, when the street is still dark and the bread is warm.",
  "A small boat needs less water under its keel than people think, but the wind has to be right.",
  "He had read the book twice, and he could still not say what it was about.",
  "The two towns share a railway station, which lies exactly between them and belongs to neither.",
  "After the rain the air was clear, and the mountains looked as if one could touch them.",
  "My grandfather kept bees behind the barn and gave honey to everyone who came to visit.",
  "A map is a promise that somebody has been there before.",
  "The old clock in the hall is ten minutes slow, and nobody has ever wanted to change that.",
  "When the lights went out, the audience waited in silence until somebody began to sing.",
  "Water expands when it freezes, so a full bottle should not be left outside at night.",
  "They planted the trees in a row along the wall, and after ten years there was shade.",
  "The museum is closed on Mondays, but the guard lets artists in who want to draw.",
  "Most of the people on the ferry were asleep; only the cook and the captain were talking.",
  "To repair the roof they needed a ladder, a dry day and somebody without fear of heights.",
  "The teacher wrote a single word on the board and asked the class what it might mean.",
  "Salt was once so expensive that whole cities were built where it could be found.",
  "On the last day of the holiday they walked to the lighthouse and counted the steps.",
  "The dog knew the sound of every car in the street and barked at none of them.",
  "A good knife is kept sharp, washed by hand, and lent to nobody.",
  "The library has a room without books, where people may speak as loudly as they like.",
  "It took the whole afternoon to find the key, which had been in the door all along.",
];
