-- Health of a TextToImageService for Argo CD: the conditions' own words, and never Progressing without a rollout.
-- In argocd-cm, as `resource.customizations.health.texttoimage.dev_TextToImageService: |`, or by kustomization.yaml here.

local function condition(wanted)
  for _, candidate in ipairs(obj.status.conditions or {}) do
    if candidate.type == wanted then
      return candidate
    end
  end
  return { status = "Unknown", message = "The operator has not said " .. wanted .. " yet." }
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "The operator has not seen this generation yet." }
end

local ready, stalled, reconciling = condition("Ready"), condition("Stalled"), condition("Reconciling")

if stalled.status == "True" then
  return { status = "Degraded", message = stalled.message }
end
if ready.status == "True" and obj.spec.paused then
  return { status = "Suspended", message = "spec.paused is true: no object is changed." }
end
if ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end
if reconciling.status == "True" or ready.status == "Unknown" then
  return { status = "Progressing", message = ready.message }
end
return { status = "Degraded", message = ready.message }
