namespace MmCluster.Models.Cards;

/// <summary>Refuses cards whose parts cannot work together, with the line at fault.</summary>
internal static class CardGraph
{
    public static void Check(ModelCard card)
    {
        Dictionary<string, ComponentCard> byName = card.Components.ToDictionary(component => component.Name);
        ComponentCard[] backbones = [.. card.Components.Where(component => component.Kind == ComponentKind.Backbone)];
        if (backbones.Length > 1)
        {
            throw Bad(card, backbones[1], $"a second backbone; '{backbones[0].Name}' is one already");
        }
        foreach (ComponentCard component in card.Components)
        {
            CheckMedia(card, component);
            foreach (string name in component.From)
            {
                if (!byName.TryGetValue(name, out ComponentCard? source))
                {
                    throw Bad(card, component, $"from '{name}': there is no such component; known: {string.Join(", ", byName.Keys)}");
                }
                if (!MayFeed(source.Kind, component.Kind))
                {
                    throw Bad(card, component, $"{Word(source.Kind)} '{name}' cannot feed {Word(component.Kind)} '{component.Name}'");
                }
            }
            if ((component.Kind == ComponentKind.Generator) != (component.SignalTokens.Count > 0)
                || component.SignalTokens.Distinct().Count() != component.SignalTokens.Count)
            {
                throw Bad(card, component, "signal_tokens: a generator needs some, all different, and nothing else has any");
            }
            if (component.Kind is not (ComponentKind.Encoder or ComponentKind.Backbone) && component.From.Count == 0)
            {
                throw Bad(card, component, $"{Word(component.Kind)} '{component.Name}' needs a 'from'");
            }
        }
        // Kinds rise along every edge but projector to projector, so only those can close a circle.
        foreach (ComponentCard component in card.Components)
        {
            CheckCircle(card, component, component, byName, []);
        }
        CheckUse(card, backbones);
    }

    private static void CheckMedia(ModelCard card, ComponentCard component)
    {
        bool touchesMedia = component.Kind is ComponentKind.Encoder or ComponentKind.Generator;
        if (touchesMedia != component.Modality is not null)
        {
            throw Bad(card, component, touchesMedia
                ? $"{Word(component.Kind)} '{component.Name}' needs a modality"
                : $"{Word(component.Kind)} '{component.Name}' has no modality");
        }
        if (component.Kind == ComponentKind.Encoder && component.From.Count > 0)
        {
            throw Bad(card, component, $"encoder '{component.Name}' takes media, nothing can feed it");
        }
    }

    private static void CheckCircle(ModelCard card, ComponentCard start, ComponentCard at, Dictionary<string, ComponentCard> byName, HashSet<string> seen)
    {
        foreach (string name in at.From)
        {
            if (name == start.Name)
            {
                throw Bad(card, start, $"'{start.Name}' feeds itself");
            }
            if (seen.Add(name))
            {
                CheckCircle(card, start, byName[name], byName, seen);
            }
        }
    }

    // With a backbone everything before it must reach it; without one (an encoder alone) there is nothing to reach.
    private static void CheckUse(ModelCard card, ComponentCard[] backbones)
    {
        if (card.Components.Count == 0)
        {
            throw new InvalidDataException($"{card.File}(1): components is empty");
        }
        foreach (ComponentCard component in card.Components.Where(component =>
            backbones.Length == 1 && component.Kind is ComponentKind.Encoder or ComponentKind.Projector or ComponentKind.OutputProjector))
        {
            if (!card.Components.Any(other => other.From.Contains(component.Name)))
            {
                throw Bad(card, component, $"{Word(component.Kind)} '{component.Name}' feeds nothing");
            }
        }
        if (backbones.Length == 0 && card.Components.FirstOrDefault(component => component.Kind >= ComponentKind.OutputProjector) is { } orphan)
        {
            throw Bad(card, orphan, $"{Word(orphan.Kind)} '{orphan.Name}' needs a backbone");
        }
    }

    private static bool MayFeed(ComponentKind source, ComponentKind target) => (source, target) switch
    {
        (ComponentKind.Encoder, ComponentKind.Projector or ComponentKind.Backbone) => true,
        (ComponentKind.Projector, ComponentKind.Projector or ComponentKind.Backbone) => true,
        (ComponentKind.Backbone, ComponentKind.OutputProjector) => true,
        (ComponentKind.OutputProjector, ComponentKind.Generator) => true,
        _ => false,
    };

    private static string Word(ComponentKind kind) => kind switch
    {
        ComponentKind.OutputProjector => "output projector",
        _ => kind.ToString().ToLowerInvariant(),
    };

    private static InvalidDataException Bad(ModelCard card, ComponentCard component, string what) => new($"{card.File}({component.Line}): {what}");
}
